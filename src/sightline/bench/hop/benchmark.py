"""The hop benchmark: all sides in turn, at each size as fast as it goes and at a camera's rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sightline.bench.hop.bare_ring import bare_ring
from sightline.bench.hop.graph import sightline_graph
from sightline.bench.hop.load import HopLoad
from sightline.bench.hop.openfilter import BEST, OTHER_SETTINGS, openfilter, openfilter_version
from sightline.bench.hop.pickled import pickle_push_pull
from sightline.bench.interleave import Comparison, take_turns
from sightline.bench.record import describe_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sightline.bench.hop.load import HopResult

    Side = Callable[[HopLoad], HopResult]

__all__ = [
    "BARE_RING",
    "OPENFILTER",
    "PICKLE",
    "RATE",
    "SIGHTLINE",
    "SIZES",
    "HopBenchmark",
    "LoadResults",
    "SizeResults",
    "report",
]

SIGHTLINE = "sightline"
PICKLE = "PUSH/PULL + pickle"
OPENFILTER = "openfilter"
BARE_RING = "bare slot ring"

SIZES = ((640, 480), (1920, 1080), (3840, 2160))

RATE = 30.0
_PACED_FRAMES = 150
_FULL_SPEED_BYTES = 2_500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResults:
    """What all sides made of one load.

    Attributes:
        load: The load.
        rounds: By side, its result in each round.
    """

    load: HopLoad
    rounds: Mapping[str, Sequence[HopResult]]

    def compare(self, figure: str) -> Comparison:
        """Compare the sides in one of the figures of a `HopResult`, by its name."""
        return Comparison(
            rounds={
                side: [getattr(result, figure) for result in results]
                for side, results in self.rounds.items()
            }
        )

    def lost(self, side: str) -> int:
        """Count the frames that a side lost in all rounds together."""
        return sum(self.load.frames - result.delivered for result in self.rounds[side])

    def as_json(self) -> dict[str, Any]:
        """State everything as JSON values."""
        rounds = {side: [asdict(result) for result in rs] for side, rs in self.rounds.items()}
        return {"load": asdict(self.load), "rounds": rounds}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeResults:
    """What was measured at one size of the images.

    Attributes:
        full_speed: As fast as it goes.
        paced: At `RATE` frames per second.
    """

    full_speed: LoadResults
    paced: LoadResults

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.paced.load.width, self.paced.load.height


@dataclass(frozen=True, slots=True, kw_only=True)
class HopBenchmark:
    """What to measure.

    Attributes:
        sizes: Width and height of the images, in pixels.
        rounds: How many rounds there are. None goes before: every side starts its processes anew
            in every round, and warms them up.
        openfilter_python: Python of an environment that has openfilter; None leaves it out.
        other_settings: Whether openfilter takes part at the settings that are not its best, too.
    """

    sizes: Sequence[tuple[int, int]] = SIZES
    rounds: int = 5
    openfilter_python: Path | None = None
    other_settings: bool = False

    def describe_openfilter(self) -> dict[str, Any] | None:
        """State the version of openfilter and how it is set; None if it takes no part.

        Raises:
            MissingExtraError: There is no openfilter where it should be.
        """
        if self.openfilter_python is None:
            return None
        return {"version": openfilter_version(self.openfilter_python), **asdict(BEST)}

    def run(self) -> list[SizeResults]:
        """Measure all sides at all sizes.

        Raises:
            GraphError: A side failed.
        """
        sides = self._sides()
        return [
            SizeResults(
                full_speed=self._measure(sides, full_speed_load(*size)),
                paced=self._measure(sides, paced_load(*size)),
            )
            for size in self.sizes
        ]

    def _sides(self) -> dict[str, Side]:
        sides: dict[str, Side] = {
            SIGHTLINE: sightline_graph,
            PICKLE: pickle_push_pull,
            BARE_RING: bare_ring,
        }
        if self.openfilter_python is not None:
            settings = {OPENFILTER: BEST}
            if self.other_settings:
                settings |= {f"{OPENFILTER}, {name}": s for name, s in OTHER_SETTINGS.items()}
            for name, setting in settings.items():
                sides[name] = partial(openfilter, python=self.openfilter_python, settings=setting)
        return sides

    def _measure(self, sides: Mapping[str, Side], load: HopLoad) -> LoadResults:
        runs = {name: partial(side, load) for name, side in sides.items()}
        return LoadResults(load=load, rounds=take_turns(runs, rounds=self.rounds, warm_up=0))


def full_speed_load(width: int, height: int) -> HopLoad:
    """Choose a number of frames that keeps the slowest side busy for some seconds.

    >>> full_speed_load(3840, 2160).frames, full_speed_load(64, 48).frames
    (100, 2000)
    """
    frames = _FULL_SPEED_BYTES // (width * height * 3)
    return HopLoad(width=width, height=height, frames=min(2000, max(50, frames)))


def paced_load(width: int, height: int) -> HopLoad:
    """Hand over images like a camera, for 5 seconds."""
    return HopLoad(width=width, height=height, frames=_PACED_FRAMES, rate=RATE)


def report(benchmark: HopBenchmark, results: Sequence[SizeResults]) -> dict[str, Any]:
    """State the machine, the opponent and all figures as JSON values."""
    return {
        "machine": describe_machine(),
        "openfilter": benchmark.describe_openfilter(),
        "results": [
            {"full_speed": result.full_speed.as_json(), "paced": result.paced.as_json()}
            for result in results
        ],
    }
