"""Finds out, without decoding a video, which frames it has and where decoding can start.

Readers that divide a video among them need timestamps that a reader delivers as they are, wherever
it starts. Where anything speaks against that, the index has no frames and says why.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from sightline.media.demuxing import PacketReader
from sightline.media.entry import entry_test
from sightline.media.facts import main_video_stream, time_base
from sightline.media.files import open_container, open_file
from sightline.media.losses import LossLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction
    from pathlib import Path

    from av import Packet, VideoStream
    from numpy.typing import NDArray

    from sightline.media.options import SourceOptions

__all__ = ["FrameIndex", "Packets", "index_file"]

_REORDERING = 32
"""No codec shows a picture after more than this many that are decoded later (16 frames of 2)."""
_TRIED_FRAMES = 8


def _no_ticks() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """The frames of a video.

    Attributes:
        time_base: Seconds per tick.
        packets: Number of packets that are to be shown: an estimate of the number of frames.
        frames: int64, timestamps of the frames that a read from the beginning yields if nothing is
            lost, ascending, without repetition; none in doubt.
        entries: int64, timestamps of the entry points, ascending; see `media.entry`.
        doubt: Why sections of the video may not be read apart from each other; None: nothing
            speaks against it.
    """

    time_base: Fraction
    packets: int
    frames: NDArray[np.int64] = field(default_factory=_no_ticks)
    entries: NDArray[np.int64] = field(default_factory=_no_ticks)
    doubt: str | None = None


@dataclass(slots=True)
class Packets:
    """What packets say of the pictures in them, in the order of decoding.

    Attributes:
        pts: Timestamps; without those of packets that have none.
        entry: Whether decoding can start there.
        hidden: Whether an edit list hides the picture.
        untimed: How many have no timestamp.
        damaged: The container is damaged in places.
    """

    pts: list[int] = field(default_factory=list)
    entry: list[bool] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    untimed: int = 0
    damaged: bool = False

    @property
    def shown(self) -> int:
        """How many are to be shown."""
        return self.untimed + self.hidden.count(False)


def index_file(path: Path, *, options: SourceOptions) -> FrameIndex:
    """Read the packets of a video, all of them, and decode its first few frames.

    Args:
        path: A video file.
        options: How to open it; a range or section has no effect.

    Raises:
        MediaError: It is not a video that can be decoded.
        OSError: The file cannot be read.
    """
    first = _first_frames(path, options)
    with closing(open_container(path, options=options)) as container:
        stream = main_video_stream(container, max_pixels=options.max_pixels)
        ticks = time_base(stream)
        log = LossLog()
        packets = _collect(PacketReader(container, stream, log=log, live=False), stream)
        packets.damaged = bool(log.losses)
    return arrange(packets, first=first, time_base=ticks)


def arrange(packets: Packets, *, first: Iterable[int], time_base: Fraction) -> FrameIndex:
    """Make an index of what packets say.

    Args:
        packets: All of the stream.
        first: Timestamps with which the first frames were delivered.
        time_base: Seconds per tick.
    """
    pts = np.array(packets.pts, np.int64)
    hidden = np.array(packets.hidden, bool)
    shown = np.sort(pts[~hidden])
    tried = np.array(list(first), np.int64)
    doubt = _doubt(packets, pts, hidden=pts[hidden], shown=shown, tried=tried)
    if doubt is not None:
        return FrameIndex(time_base=time_base, packets=packets.shown, doubt=doubt)
    highest_before = np.concatenate([[pts.min() - 1], np.maximum.accumulate(pts)[:-1]])
    is_entry = np.array(packets.entry, bool) & (pts > highest_before)
    return FrameIndex(
        time_base=time_base,
        packets=packets.shown,
        frames=shown[shown >= tried[0]],
        entries=pts[is_entry],
    )


def _doubt(
    packets: Packets,
    pts: NDArray[np.int64],
    *,
    hidden: NDArray[np.int64],
    shown: NDArray[np.int64],
    tried: NDArray[np.int64],
) -> str | None:
    """Say what speaks against reading sections."""
    if packets.damaged:
        return "the container is damaged"
    if packets.untimed or not len(shown):
        return "some of its frames have no timestamp"
    if len(np.unique(pts)) < len(pts):
        return "some of its frames have the same timestamp"
    highest = np.maximum.accumulate(pts)
    doubts = {
        "its timestamps step back": (pts[_REORDERING:] < highest[:-_REORDERING]).any(),
        "an edit list hides frames between others": (
            (hidden > shown[0]) & (hidden < shown[-1])
        ).any(),
        "its frames come with other timestamps than its packets": not np.isin(tried, shown).all(),
    }
    return next((doubt for doubt, holds in doubts.items() if holds), None)


def _first_frames(path: Path, options: SourceOptions) -> list[int]:
    whole = replace(options, start_s=0.0, end_s=None, section=None)
    with closing(open_file(path, options=whole)) as source:
        return [frame.pts for frame in islice(source.frames(), _TRIED_FRAMES)]


def _collect(reader: Iterable[Packet[VideoStream]], stream: VideoStream) -> Packets:
    packets = Packets()
    is_entry = entry_test(stream)
    for packet in reader:
        if not packet.size:
            continue
        if packet.pts is None:
            packets.untimed += 1
            continue
        packets.pts.append(packet.pts)
        packets.hidden.append(packet.is_discard)
        packets.entry.append(packet.is_keyframe and not packet.is_corrupt and is_entry(packet))
    return packets
