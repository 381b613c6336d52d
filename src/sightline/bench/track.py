"""The benchmark of tracking alone: SORT against that of roboflow's `trackers`, on one core.

Sides, in one process, in turn, each with its own kind of detections, made beforehand:

    sightline                  `Sort()`
    trackers                   `SORTTracker()`, as installed
    trackers, same settings    with Sightline's settings: it forgets a lost track after a frame
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.bench.crowd import Crowd
from sightline.bench.interleave import Comparison, interleave
from sightline.bench.record import describe_machine
from sightline.detections import Detections
from sightline.errors import FormatError, MissingExtraError
from sightline.formats.mot import read_mot
from sightline.tracking.sort import Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.bench.interleave import Spread

    Sides = Mapping[str, tuple[Callable[[], Any], Callable[[Detections], Any]]]

__all__ = [
    "SIGHTLINE",
    "TRACKERS",
    "TRACKERS_ALIKE",
    "TrackBenchmark",
    "TrackResult",
    "report",
    "table",
]

SIGHTLINE = "sightline"
TRACKERS = "trackers"
TRACKERS_ALIKE = "trackers, same settings"

_BASELINE = "trackers==2.6.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackResult:
    """What was measured on one sequence, or one generated crowd.

    Attributes:
        name: Name of the sequence, or number of objects.
        frames: Number of its frames.
        objects: Mean number of detections per frame.
        digest: Start of the SHA-256 of all boxes, to know the data again.
        comparison: Frames per second of each side.
    """

    name: str
    frames: int
    objects: float
    digest: str
    comparison: Comparison

    def as_json(self) -> dict[str, Any]:
        """State everything as JSON values."""
        return {
            "name": self.name,
            "frames": self.frames,
            "objects": round(self.objects, 2),
            "digest": self.digest,
            "frames_per_s": {name: list(rates) for name, rates in self.comparison.rounds.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBenchmark:
    """What to measure.

    Attributes:
        sequences: Folder of MOT Challenge sequences, each a folder with a `det.txt`; None for
            generated crowds only.
        counts: Objects per frame of the generated crowds.
        rounds: How many rounds count, after one that does not.
    """

    sequences: Path | None = None
    counts: tuple[int, ...] = (10, 50, 200, 500)
    rounds: int = 5

    def run(self) -> list[TrackResult]:
        """Measure the frames per second of all sides: first of sequences, then of crowds.

        The first result is that of all sequences together, if there are any. Meanwhile the
        calling thread is confined to one core.

        Raises:
            MissingExtraError: `trackers` is not installed.
            FormatError: The folder holds no sequence, or one that cannot be read.
        """
        data = {} if self.sequences is None else _read_sequences(self.sequences)
        names = list(data)
        for count in self.counts:
            data[f"{count} objects"] = _crowd(count)
        sides = _sides()
        with _one_core():
            results = [self._measure(name, frames, sides) for name, frames in data.items()]
        together = [_together(results[: len(names)])] if len(names) > 1 else []
        return together + results

    def _measure(self, name: str, frames: list[Detections], sides: Sides) -> TrackResult:
        prepared = {
            side: (make, [convert(f) for f in frames]) for side, (make, convert) in sides.items()
        }
        digest = hashlib.sha256(b"".join(f.xyxy.tobytes() for f in frames)).hexdigest()
        return TrackResult(
            name=name,
            frames=len(frames),
            objects=float(np.mean([len(f) for f in frames])),
            digest=digest[:16],
            comparison=interleave(
                {side: partial(_rate, *work) for side, work in prepared.items()}, rounds=self.rounds
            ),
        )


def table(results: Sequence[TrackResult]) -> str:
    """Lay out the frames per second of all sides, and by how many times Sightline's are more.

    Figures are medians, ratios with the lowest and the highest of the rounds.
    """
    head = ("", "objects", "sightline", "trackers", "ratio", "same settings", "ratio")
    return "\n".join(_line(row) for row in [head, *map(_row, results)])


def report(results: Sequence[TrackResult]) -> dict[str, Any]:
    """State the machine, the baseline and all figures as JSON values."""
    return {
        "machine": describe_machine(),
        "baseline": f"trackers {version('trackers')}",
        "results": [result.as_json() for result in results],
    }


def _row(result: TrackResult) -> tuple[str, ...]:
    figure, ratio = result.comparison.figure, result.comparison.ratio
    return (
        result.name,
        f"{result.objects:.1f}",
        f"{figure(SIGHTLINE).median:,.0f}",
        f"{figure(TRACKERS).median:,.0f}",
        _ratio(ratio(SIGHTLINE, TRACKERS)),
        f"{figure(TRACKERS_ALIKE).median:,.0f}",
        _ratio(ratio(SIGHTLINE, TRACKERS_ALIKE)),
    )


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.1f} ({spread.low:.1f}–{spread.high:.1f})"


def _line(cells: tuple[str, ...]) -> str:
    name, *figures = cells
    widths = (9, 11, 11, 19, 15, 19)
    return f"{name:<16}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(figures, widths, strict=True)
    )


def _sides() -> Sides:
    """Name the sides: how to make a tracker, and how to make its detections from ours."""
    try:
        from trackers import SORTTracker
    except ImportError as error:
        raise MissingExtraError(
            "the benchmark of tracking compares with roboflow's trackers: "
            f"pip install 'sightline[supervision]' and pip install --no-deps {_BASELINE}"
        ) from error
    alike = {
        "lost_track_buffer": 1,
        "minimum_consecutive_frames": 3,
        "minimum_iou_threshold": 0.3,
        "track_activation_threshold": 0.0,
    }
    return {
        SIGHTLINE: (Sort, lambda detections: detections),
        TRACKERS: (SORTTracker, Detections.to_supervision),
        TRACKERS_ALIKE: (partial(SORTTracker, **alike), Detections.to_supervision),
    }


def _rate(make: Callable[[], Any], frames: list[Any]) -> float:
    """Track all frames with a new tracker; return the frames per second."""
    update = make().update
    started = time.perf_counter()
    for frame in frames:
        update(frame)
    return len(frames) / (time.perf_counter() - started)


def _read_sequences(folder: Path) -> dict[str, list[Detections]]:
    sequences = {path.parent.name: _read(path) for path in sorted(folder.glob("*/det.txt"))}
    if not sequences:
        raise FormatError(f"{folder} holds no sequence: expected NAME/det.txt in it")
    return sequences


def _read(path: Path) -> list[Detections]:
    """Read the detections of every frame, from the first to the last that has any."""
    rows = read_mot(path).by_frame()
    return [
        _detections(rows[frame].xyxy, rows[frame].confidence)
        if frame in rows
        else Detections.empty()
        for frame in range(1, max(rows, default=0) + 1)
    ]


def _crowd(count: int) -> list[Detections]:
    crowd = Crowd(count=count, frames=300 if count <= 50 else 100)
    return [_detections(boxes, np.full(len(boxes), 0.9)) for boxes in crowd.boxes()]


def _detections(xyxy: NDArray[np.floating], confidence: NDArray[np.floating]) -> Detections:
    return Detections(xyxy=xyxy.astype(np.float32), confidence=confidence.astype(np.float32))


def _together(results: Sequence[TrackResult]) -> TrackResult:
    """Sum up sequences as if they had been one: all frames by all time, round by round."""
    frames = [result.frames for result in results]
    total = sum(frames)
    rounds = {
        side: [
            total / sum(count / rate for count, rate in zip(frames, rates, strict=True))
            for rates in zip(*(r.comparison.rounds[side] for r in results), strict=True)
        ]
        for side in results[0].comparison.rounds
    }
    return TrackResult(
        name=f"{len(results)} sequences",
        frames=total,
        objects=sum(r.objects * r.frames for r in results) / total,
        digest=hashlib.sha256("".join(r.digest for r in results).encode()).hexdigest()[:16],
        comparison=Comparison(rounds=rounds),
    )


@contextmanager
def _one_core() -> Iterator[None]:
    """Confine the calling thread to one of its cores."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
