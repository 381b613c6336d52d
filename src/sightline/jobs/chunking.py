"""Divides a video into chunks that workers can do apart from each other.

Every frame belongs to exactly one chunk, by its timestamp. Where a worker cannot be sure to see
the same frames as a read of the whole video, there is one chunk only.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import MediaError
from sightline.jobs.model import Span
from sightline.media.index import index_file
from sightline.media.options import SourceOptions, range_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.media.index import FrameIndex

__all__ = ["ChunkSizes", "plan_spans", "spans_of"]

_log = logging.getLogger(__name__)

_ROUNDS = 4
_FULL_ROUND_FRAMES = 32
_FEWEST_FRAMES = 16
_FEW_CHUNKS = 64
_MOST_IN_VAIN = 750


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSizes:
    """How large chunks are.

    A chunk costs some 20 to 50 ms of opening the video and noting the result, and its worker
    decodes a few frames more than it owns: up to 16 after its end, for pictures that are shown
    earlier than they are decoded. In the middle of a long group of pictures it decodes, too, what
    comes before; never more frames than the chunk has.

    Attributes:
        target_s: Longest time that a chunk is meant to cover: what is lost if a worker dies.
        workers: How many work at once. Short videos are divided so that each gets a chunk, and
            longer ones so that each gets four: then none waits long for the last one.
        most: Largest number of chunks; in a very long video they are longer than `target_s`.
    """

    target_s: float = 60.0
    workers: int = 2
    most: int = 2000

    def __post_init__(self) -> None:
        if not self.target_s > 0 or self.workers < 1 or self.most < 1:
            raise ValueError(f"chunk sizes must be positive, but are {self}")

    def count(self, frames: int, duration_s: float) -> int:
        """Choose the number of chunks.

        >>> [ChunkSizes().count(frames, frames / 25) for frames in (20, 60, 800, 90_000)]
        [1, 2, 8, 60]
        """
        rounds = min(_ROUNDS, max(1, frames // (self.workers * _FULL_ROUND_FRAMES)))
        wanted = max(math.ceil(duration_s / self.target_s), self.workers * rounds)
        return max(1, min(wanted, frames // _FEWEST_FRAMES, self.most))


def plan_spans(
    path: Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    sizes: ChunkSizes | None = None,
    options: SourceOptions | None = None,
) -> list[Span]:
    """Divide a video into spans for chunks, at key frames where they are near.

    The packets of the file are read, all of them; but for the first few, frames are not decoded.

    Args:
        path: The video.
        start_s: Leave out what is shown earlier, in seconds after the first frame.
        end_s: Leave out what is shown then or later; None: to the end.
        sizes: How large chunks are.
        options: How to open the video.

    Returns:
        At least one span, in order. One without bounds stands for all frames between `start_s` and
        `end_s`; the bounds of several include these.

    Raises:
        MediaError: The video cannot be decoded, or has no frame between these times.
        OSError: It cannot be read.
    """
    index = index_file(path, options=options or SourceOptions())
    if index.doubt is not None:
        _log.info("video is not divided reason=%r", index.doubt)
    try:
        return spans_of(index, start_s=start_s, end_s=end_s, sizes=sizes or ChunkSizes())
    except MediaError as error:
        raise MediaError(f"cannot read {path}: {error}") from None


def spans_of(
    index: FrameIndex, *, start_s: float, end_s: float | None, sizes: ChunkSizes
) -> list[Span]:
    """Divide the frames of an index between two times; see `plan_spans`.

    Raises:
        MediaError: There is no frame between them; the message is the cause alone.
    """
    if index.doubt is not None:
        return [Span(frames=index.packets if start_s == 0 and end_s is None else None)]
    first, stop = _bounds(index, start_s, end_s)
    frames = index.frames[first:stop]
    if not len(frames):
        raise MediaError(f"it has no frame {range_text(start_s, end_s)}")
    duration_s = float(int(frames[-1] - frames[0]) * index.time_base)
    count = sizes.count(len(frames), duration_s)
    cuts = _cuts(frames, index.entries, count=count, most=sizes.most)
    if not cuts:
        return [Span(frames=len(frames))]
    edges = [first, *(first + cut for cut in cuts), stop]
    return [_span(index, begin, end) for begin, end in pairwise(edges)]


def _bounds(index: FrameIndex, start_s: float, end_s: float | None) -> tuple[int, int]:
    """Find the first frame at or after each of the times, counted as `media.excerpt` does."""
    origin = int(index.frames[0])
    first = np.searchsorted(index.frames, origin + math.ceil(start_s / index.time_base))
    if end_s is None:
        return int(first), len(index.frames)
    return int(first), int(
        np.searchsorted(index.frames, origin + math.ceil(end_s / index.time_base))
    )


def _cuts(
    frames: NDArray[np.int64], entries: NDArray[np.int64], *, count: int, most: int
) -> list[int]:
    """Choose where chunks after the first begin, as near to equal parts as entry points allow.

    A group of pictures that is longer than a part may be cut in its middle, too: then no more
    frames are decoded in vain than the chunk has. Where chunks are few, up to twice as many are
    tried: of ten groups, ten chunks are shared more evenly than eight, two of them double.
    """
    total = len(frames)
    starts = np.union1d(np.searchsorted(frames, entries), [0])
    starts = starts[starts < total]
    lengths = np.diff(starts, append=total)
    halves = (lengths + 1) // 2
    divisible = (lengths > total / count) & (halves <= _MOST_IN_VAIN)
    places = np.union1d(starts, (starts + halves)[divisible])
    places = places[(places > 0) & (places < total)]
    if count == 1 or not len(places):
        return []
    most = min(most, 2 * count, total // _FEWEST_FRAMES) if count <= _FEW_CHUNKS else count
    tried = [_near_equal(places, total, parts) for parts in range(count, most + 1)]
    best = min(tried, key=lambda cuts: (round(_unevenness(cuts, total), 1), len(cuts)))
    return [int(place) for place in best]


def _unevenness(cuts: NDArray[np.int64], total: int) -> float:
    """Compare the longest part with the mean one; 1: all are equal."""
    return float(np.diff(cuts, prepend=0, append=total).max() * (len(cuts) + 1) / total)


def _near_equal(places: NDArray[np.int64], total: int, parts: int) -> NDArray[np.int64]:
    """Choose the places nearest to those that would make equal parts."""
    ideal = np.arange(1, parts) * total / parts
    return np.unique(places[np.abs(places[None] - ideal[:, None]).argmin(axis=1)])


def _span(index: FrameIndex, begin: int, end: int) -> Span:
    begin_pts = int(index.frames[begin]) if begin else None
    entry = 0 if begin_pts is None else np.searchsorted(index.entries, begin_pts, side="right")
    return Span(
        begin_pts=begin_pts,
        end_pts=int(index.frames[end]) if end < len(index.frames) else None,
        seek_pts=int(index.entries[entry - 1]) if entry else None,
        frames=end - begin,
    )
