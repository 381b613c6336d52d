"""What is known of a stream of frames before its first one, and what was lost after its last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Losses", "StreamInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """A stream of frames as its source announces it.

    Attributes:
        name: Name of the stream; for a file its stem. Safe to use as a file name.
        width: Width of the first frame in pixels, rotation applied.
        height: Height of the first frame in pixels, rotation applied.
        time_base: Seconds per unit of `Frame.pts`.
        frame_rate: Nominal frames per second; None where unknown (variable, image folders).
        frame_count: Expected number of frames; an estimate for display, None where unknown.
        duration_s: Expected duration in seconds; None where unknown or live.
        live: Frames come as they are taken (cameras, live streams): a reader that is late misses
            some.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    live: bool = False


@dataclass(slots=True, kw_only=True)
class Losses:
    """What a source could not deliver; it grows while the source is read.

    Attributes:
        corrupt_packets: Packets that the demuxer or decoder rejected.
        corrupt_frames: Frames that were decoded with visible damage, or not at all.
        truncated: The container promises more than the file holds.
        messages: One sentence per kind of loss, for people.
    """

    corrupt_packets: int = 0
    corrupt_frames: int = 0
    truncated: bool = False
    messages: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.corrupt_packets or self.corrupt_frames or self.truncated)
