"""Who goes along the street, when, and how fast. It knows no pixels."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sightline.media.scene.bicycle import Bicycle
from sightline.media.scene.car import Car
from sightline.media.scene.person import Person

if TYPE_CHECKING:
    from sightline.media.scene.settings import SceneSettings
    from sightline.media.scene.street import Camera

__all__ = ["CLASS_NAMES", "Figure", "Walk", "plan_traffic"]

Figure = Person | Car | Bicycle

CLASS_NAMES = ("person", "car", "bicycle")
_PERSON, _CAR, _BICYCLE = range(3)
_TURNS = (_PERSON, _CAR, _BICYCLE, _PERSON)  # classes of the first, second … object in view


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One object's way through the picture, in a straight line at constant speed.

    Attributes:
        track_id: 1, 2, … in order of `start`.
        class_id: Index into `CLASS_NAMES`.
        figure: What the object looks like.
        start: Frame number, with fraction, at which it stands just outside the picture.
        duration: Frames until it stands outside on the other side.
        from_x: Metres from the middle of the picture at the start.
        to_x: The same at the end.
        from_depth: Metres from the camera at the start.
        to_depth: The same at the end.
        step: Where in its cycle of movement the object starts, in [0, 1).
    """

    track_id: int = 0
    class_id: int
    figure: Figure
    start: float
    duration: float
    from_x: float
    to_x: float
    from_depth: float
    to_depth: float
    step: float

    @property
    def end(self) -> float:
        """Frame number, with fraction, at which it has left the picture."""
        return self.start + self.duration

    @property
    def speed(self) -> float:
        """Metres per frame."""
        return abs(self.to_x - self.from_x) / self.duration

    def at(self, seq: float) -> tuple[float, float, float]:
        """Give x and depth in metres, and the phase of the movement in [0, 1)."""
        share = (seq - self.start) / self.duration
        x = self.from_x + share * (self.to_x - self.from_x)
        depth = self.from_depth + share * (self.to_depth - self.from_depth)
        distance = abs(self.to_x - self.from_x) * share
        return x, depth, (distance / self.figure.cycle + self.step) % 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """A strip of the street on which objects of one class go.

    Attributes:
        depth: Nearest and farthest way, in metres from the camera.
        drift: How many metres an object may come nearer or go away on its whole way.
        direction: 1 to the right, −1 to the left, 0 for both.
        speed: Lowest and highest, in metres per second.
        gap: Metres that vehicles keep between them; 0 for people, who walk abreast.
    """

    depth: tuple[float, float]
    drift: float = 0.0
    direction: int = 0
    speed: tuple[float, float]
    gap: float = 0.0


_LANES = {
    _PERSON: (
        _Lane(depth=(8.0, 9.2), drift=0.6, speed=(0.9, 1.7)),
        _Lane(depth=(16.9, 18.2), drift=0.5, speed=(0.9, 1.7)),
    ),
    _CAR: (
        _Lane(depth=(12.5, 12.7), direction=1, speed=(5.0, 9.0), gap=2.0),
        _Lane(depth=(15.1, 15.3), direction=-1, speed=(5.0, 9.0), gap=2.0),
    ),
    _BICYCLE: (
        _Lane(depth=(10.0, 10.3), direction=1, speed=(3.2, 5.5), gap=0.7),
        _Lane(depth=(10.7, 11.0), direction=-1, speed=(3.2, 5.5), gap=0.7),
    ),
}
_FIGURES: dict[int, type[Figure]] = {_PERSON: Person, _CAR: Car, _BICYCLE: Bicycle}


class _Planner:
    """Sends one object after the other on its way."""

    def __init__(self, settings: SceneSettings, camera: Camera) -> None:
        self._rng = np.random.default_rng([settings.seed, 1])
        self._camera = camera
        self._rate = float(settings.frame_rate)
        self._last: dict[_Lane, Walk] = {}

    def send(self, class_id: int, earliest: float, *, under_way: bool) -> Walk:
        """Plan a way that starts at a frame number, or, if `under_way`, had started before."""
        rng = self._rng
        lane = _LANES[class_id][rng.integers(2)]
        figure = _FIGURES[class_id].random(rng)
        depths = self._depths(lane)
        direction = lane.direction or (-1, 1)[rng.integers(2)]
        edges = [self._camera.half_view(depth) + figure.length / 2 + 0.7 for depth in depths]
        duration = sum(edges) * self._rate / self._between(lane.speed)
        walk = Walk(
            class_id=class_id,
            figure=figure,
            start=earliest - (rng.random() * duration if under_way else 0.0),
            duration=duration,
            from_x=-direction * edges[0],
            to_x=direction * edges[1],
            from_depth=depths[0],
            to_depth=depths[1],
            step=rng.random(),
        )
        if lane.gap:
            walk = self._last[lane] = _keep_behind(self._last.get(lane), walk, lane.gap)
        return walk

    def pause(self) -> float:
        """Choose the frames until somebody follows the one who left."""
        return self._between((0.1, 1.5)) * self._rate

    def _depths(self, lane: _Lane) -> tuple[float, float]:
        nearest, farthest = lane.depth
        first = self._between(lane.depth)
        drift = self._between((-lane.drift, lane.drift))
        return first, min(max(first + drift, nearest), farthest)

    def _between(self, limits: tuple[float, float]) -> float:
        low, high = limits
        return low + (high - low) * self._rng.random()


def _keep_behind(leader: Walk | None, walk: Walk, gap: float) -> Walk:
    """Delay a vehicle until it cannot come too close to the one ahead, neither first nor last."""
    if leader is None:
        return walk
    distance = (leader.figure.length + walk.figure.length) / 2 + gap
    own_edge, edge = abs(walk.from_x), abs(leader.to_x)
    at_entry = leader.start + (distance + edge - own_edge) / leader.speed
    at_exit = leader.end - (edge + own_edge - distance) / walk.speed
    return replace(walk, start=max(walk.start, at_entry, at_exit))


def plan_traffic(settings: SceneSettings, camera: Camera) -> tuple[Walk, ...]:
    """Plan every object's way, so that at most `settings.objects` are in view at once.

    Some are under way at frame 0; when one leaves, another of its class follows.
    """
    planner = _Planner(settings, camera)
    places = [(0.0, place) for place in range(settings.objects)]
    walks: list[Walk] = []
    while places:
        free, place = heapq.heappop(places)
        walk = planner.send(_TURNS[place % len(_TURNS)], free, under_way=free == 0.0)
        if walk.start < settings.frames:
            walks.append(walk)
            heapq.heappush(places, (walk.end + planner.pause(), place))
    walks.sort(key=lambda walk: walk.start)
    return tuple(replace(walk, track_id=number) for number, walk in enumerate(walks, 1))
