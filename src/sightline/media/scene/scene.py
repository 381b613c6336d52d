"""A generated street scene: any frame as a picture, and what is to be seen in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.detections import Detections
from sightline.media.scene.backdrop import paint_backdrop
from sightline.media.scene.furniture import place_furniture
from sightline.media.scene.light import Light
from sightline.media.scene.settings import SceneSettings
from sightline.media.scene.sprite import overlap, paste
from sightline.media.scene.stage import Placed, Stage
from sightline.media.scene.street import Camera
from sightline.media.scene.traffic import CLASS_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sightline.frame import Image
    from sightline.media.scene.traffic import Walk

__all__ = ["Scene", "SceneTruth"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneTruth:
    """Every object of which something lies in the picture, hidden or not.

    Attributes:
        detections: `track_id`, class and tight box of the whole figure, also of what others
            hide, without its shadow, cut off at the edge of the picture; confidence 1.
        visibility: float32 (N,), in [0, 1], the share of the figure that is seen; what others
            hide and what lies outside of the picture is not.
    """

    detections: Detections
    visibility: NDArray[np.float32]


class Scene:
    """A street that a fixed camera sees; its settings decide every pixel.

    People, cars and bicycles (with their riders) enter, cross the picture at their own speed,
    pass behind each other and behind trees and posts, and leave. The light changes slowly, and
    every frame has its own noise. Frames may be asked for in any order, by any thread.

    Attributes:
        class_names: Names by class id: person, car, bicycle.
        settings: What the scene was made from.
    """

    class_names = CLASS_NAMES

    def __init__(self, settings: SceneSettings | None = None) -> None:
        self.settings = settings or SceneSettings()
        camera = Camera(width=self.settings.width, height=self.settings.height)
        rng = np.random.default_rng([self.settings.seed, 0])
        self._light = Light(rng, self.settings)
        self._stage = Stage(self.settings, camera, self._light)
        self._stage.furnish(place_furniture(rng, camera))
        self._backdrop = self._light.tint(paint_backdrop(rng, camera))
        for item in self._stage.furniture:
            paste(self._backdrop, item.shadow, item.column, item.row)

    def render(self, seq: int) -> Image:
        """Draw a frame; uint8 (height, width, 3), BGR, owned by the caller.

        Raises:
            ValueError: There is no such frame.
        """
        image = self._backdrop.copy()
        moving = self._moving(seq)
        for figure in moving:
            paste(image, figure.shadow, figure.column, figure.row)
        for figure in self._back_to_front(moving):
            paste(image, figure.sprite, figure.column, figure.row)
        self._light.shine(image, seq)
        return image

    def ground_truth(self, seq: int, *, min_visibility: float = 0.3) -> Detections:
        """List the objects of a frame of which at least this share is seen; draws no picture.

        Raises:
            ValueError: There is no such frame.
        """
        truth = self.truth(seq)
        return truth.detections[truth.visibility >= min_visibility]

    def truth(self, seq: int) -> SceneTruth:
        """List all objects of a frame, however little of them is seen; draws no picture.

        Raises:
            ValueError: There is no such frame.
        """
        seen = sorted(self._look(seq), key=lambda item: item[0].track_id)
        boxes = np.array([box for _, box, _ in seen], np.float32).reshape(-1, 4)
        edges = np.array([self.settings.width, self.settings.height] * 2, np.float32)
        detections = Detections(
            xyxy=np.clip(boxes, 0, edges),
            class_id=np.array([walk.class_id for walk, _, _ in seen], np.int32),
            track_id=np.array([walk.track_id for walk, _, _ in seen], np.int64),
            class_names=CLASS_NAMES,
        )
        visibility = np.array([share for _, _, share in seen], np.float32)
        return SceneTruth(detections=detections, visibility=visibility)

    def _look(self, seq: int) -> Iterator[tuple[Walk, tuple[float, ...], float]]:
        """Find who is in the picture, their boxes, and which share of each is seen."""
        covered = np.zeros((self.settings.height, self.settings.width), np.bool_)
        for figure in reversed(self._back_to_front(self._moving(seq))):
            place, part = overlap(covered.shape, figure.sprite, figure.column, figure.row)
            mask, in_front = figure.sprite.mask, covered[place]
            inside = mask[part]
            if figure.walk is not None and inside.any():
                seen = np.count_nonzero(inside & ~in_front) / np.count_nonzero(mask)
                yield figure.walk, figure.sprite.box(figure.column, figure.row), seen
            in_front |= inside

    def _moving(self, seq: int) -> list[Placed]:
        if not 0 <= seq < self.settings.frames:
            raise ValueError(f"seq must be in [0, {self.settings.frames}), but is {seq}")
        return self._stage.moving(seq)

    def _back_to_front(self, moving: list[Placed]) -> list[Placed]:
        return sorted([*self._stage.furniture, *moving], key=lambda figure: -figure.depth)
