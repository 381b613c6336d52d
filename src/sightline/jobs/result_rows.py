"""What is read of a job's results: values without knowledge of files and databases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sightline.errors import SightlineError

__all__ = [
    "Box",
    "CountBin",
    "CursorError",
    "DetectionQuery",
    "DetectionRow",
    "FrameRow",
    "Page",
    "Position",
    "TrackRow",
]

_Row = TypeVar("_Row")
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class CursorError(SightlineError, ValueError):
    """A cursor is none that a page of such results has had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_Row]):
    """Some rows, and where the next ones begin.

    Attributes:
        rows: In order; may be fewer than asked for, even none, though there are more: only so
            many are looked at per page.
        cursor: Where the next page begins; stays valid while the results grow, and with other
            filters.
        more: There is, or may be, a next page already.
    """

    rows: list[_Row]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRow:
    """A frame that reached the results; see `Frame`.

    Attributes:
        seq: Number.
        pts: In ticks of the stream.
        time_s: In seconds.
        width: In pixels.
        height: In pixels.
        objects: How many were detected.
    """

    seq: int
    pts: int
    time_s: float
    width: int
    height: int
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """An object in a frame; see `Detections`.

    Attributes:
        seq: Number of the frame.
        time_s: Time of the frame in seconds.
        xyxy: Box.
        confidence: In [0, 1].
        class_id: Number of the class.
        class_name: Name of the class.
        track_id: −1 for an object that is on no track.
    """

    seq: int
    time_s: float
    xyxy: Box
    confidence: float
    class_id: int
    class_name: str
    track_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """A track, as far as the results reach.

    Attributes:
        track_id: Its number.
        class_id: Number of the class that its object had at first.
        class_name: Name of that class.
        first_seq: Number of its first frame.
        last_seq: Number of its last frame.
        first_s: Time of its first frame in seconds.
        last_s: Time of its last frame in seconds.
        frames: In how many frames it was seen.
        confidence_mean: Over these frames.
        confidence_max: Over these frames.
        first_xyxy: Box in its first frame.
        last_xyxy: Box in its last frame.
    """

    track_id: int
    class_id: int
    class_name: str
    first_seq: int
    last_seq: int
    first_s: float
    last_s: float
    frames: int
    confidence_mean: float
    confidence_max: float
    first_xyxy: Box
    last_xyxy: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a track was.

    Attributes:
        seq: Number of the frame.
        time_s: Time of the frame in seconds.
        xyxy: Box.
    """

    seq: int
    time_s: float
    xyxy: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBin:
    """The objects within a span of time, by name of the class.

    Attributes:
        start_s: Begin, in seconds.
        end_s: End, exclusive.
        frames: How many frames fall into it.
        objects: Objects in all these frames together; divided by `frames`, the mean per frame.
        most: Most objects in one frame.
    """

    start_s: float
    end_s: float
    frames: int
    objects: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionQuery:
    """Which detections to give; everything that is said must hold.

    Attributes:
        from_s: In frames shown at this time or later; None: from the first.
        to_s: In frames shown earlier than this; None: to the last.
        classes: Of one of these classes, by name; empty: of any.
        min_confidence: At least this.
        track_id: On this track; None: on any or none.
    """

    from_s: float | None = None
    to_s: float | None = None
    classes: frozenset[str] = frozenset()
    min_confidence: float = 0.0
    track_id: int | None = None
