"""What the final pass works on: each frame of a job with its outcome so far, in order.

    results of the chunks ─────────────────────┐
    the video, decoded once more, if needed ───┴──► outcomes, numbered from 0

It knows neither the stages of the final pass nor where results go.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sightline.frame import Frame
from sightline.jobs.chunk_result import ChunkReader
from sightline.jobs.feed import FeedEnd
from sightline.pipeline.inline import InlineRun, RunOptions
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.report import StepTimes
from sightline.stream import Losses

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from sightline.frame import Image
    from sightline.jobs.chunk_result import ChunkFrame
    from sightline.jobs.feed import ChunkFeed
    from sightline.media.source import Source
    from sightline.stream import StreamInfo

__all__ = ["ChunkInput", "FinalInput", "VideoInput"]

_WAIT_S = 0.2
_NO_PICTURE = "some frames could not be decoded a second time, and are not in the results"


class FinalInput(Protocol):
    """The frames of a job, to be read once, in one thread, and closed.

    Attributes:
        stream: The stream, by its name in the job.
        stages: What the stages say of themselves that the frames have passed.
        losses: What could not be delivered so far.
        steps: The time that the frames have taken so far, by step.
        cut_short: The job has more frames than were read.
    """

    stream: StreamInfo
    stages: list[dict[str, Any]]
    losses: Losses
    steps: StepTimes
    cut_short: bool

    def outcomes(self) -> Generator[Outcome | None, None, None]:
        """Yield the outcome of every frame; None while the next one is not there yet."""

    def close(self) -> None:
        """Release files; to be called after an iterator of `outcomes` was closed."""


class VideoInput:
    """The frames of a video that no stage has seen.

    Args:
        source: Open; closed with the input.
        name: What to call the stream.
    """

    def __init__(self, source: Source, *, name: str) -> None:
        self._run = InlineRun(source, [], options=RunOptions())  # decodes ahead
        self.stream = replace(source.info, name=name)
        self.stages: list[dict[str, Any]] = []
        self.losses = source.losses
        self.steps = self._run.report.steps
        self.cut_short = True

    def outcomes(self) -> Generator[Outcome | None, None, None]:
        """Yield every frame; see `FinalInput`."""
        for frame in self._run:
            yield Outcome(frame=frame.replace(stream=self.stream.name))
        self.cut_short = False

    def close(self) -> None:
        """End the reading."""
        self._run.close()


class ChunkInput:
    """The frames in the results of a job's chunks.

    Args:
        first: The result of the first chunk.
        chunks: Gives those of the others.
        name: What to call the stream.
        open_pictures: Opens the video, to give the frames their images. None: they have the right
            size and are black.

    Raises:
        FormatError: A result is damaged; also while frames are read.
        MediaError: The video cannot be opened; also while frames are read.
    """

    def __init__(
        self,
        first: Path,
        chunks: ChunkFeed,
        *,
        name: str,
        open_pictures: Callable[[], Source] | None = None,
    ) -> None:
        with ChunkReader(first) as reader:
            self.stream = replace(reader.stream, name=name)
            self.stages = reader.stages
        self.losses = Losses()
        self.steps = StepTimes()
        self.cut_short = True
        self._first = first
        self._chunks = chunks
        self._pictures = None if open_pictures is None else _Pictures(open_pictures())

    def outcomes(self) -> Generator[Outcome | None, None, None]:
        """Yield the outcome of every frame; see `FinalInput`."""
        seq = 0
        for found in self._frames():
            if found is None:
                yield None
            else:
                yield self._outcome(found, seq)
                seq += 1

    def close(self) -> None:
        """End the reading."""
        if self._pictures is not None:
            self._pictures.close(self.steps)

    def _frames(self) -> Iterator[ChunkFrame | None]:
        given: Path | FeedEnd | None = self._first
        while not isinstance(given, FeedEnd):
            if given is None:
                yield None
            else:
                yield from self._read(given)
            given = self._chunks.next(timeout_s=_WAIT_S)
        self.cut_short = given is FeedEnd.CUT_SHORT

    def _read(self, path: Path) -> Iterator[ChunkFrame]:
        with ChunkReader(path) as reader:
            yield from reader
            end = reader.end
        if end is None:
            raise RuntimeError(f"{path} was read without coming to its end")
        for step, (calls, total_s) in end.steps.items():
            self.steps.add(step, total_s, calls=calls)
        losses = self.losses
        losses.corrupt_packets += end.losses.corrupt_packets
        losses.corrupt_frames += end.losses.corrupt_frames
        losses.truncated |= end.losses.truncated
        losses.messages += [new for new in end.losses.messages if new not in losses.messages]

    def _outcome(self, found: ChunkFrame, seq: int) -> Outcome:
        has_result = found.dropped_by is None and found.failure is None
        if self._pictures is None or not has_result:
            image: Image | None = _black(found.height, found.width)
        else:
            image = self._pictures.find(found.pts)
        if image is None:
            return self._without_picture()
        frame = Frame(
            image=image,
            seq=seq,
            pts=found.pts,
            time_base=self.stream.time_base,
            stream=self.stream.name,
        )
        return found.outcome(frame)

    def _without_picture(self) -> Outcome:
        """Count a frame as lost that a damaged video shows to the chunks alone."""
        self.losses.corrupt_frames += 1
        if _NO_PICTURE not in self.losses.messages:
            self.losses.messages.append(_NO_PICTURE)
        return Outcome(frame=None)


class _Pictures:
    """The images of a video by their timestamps, which are asked for in order."""

    def __init__(self, source: Source) -> None:
        self._run = InlineRun(source, [], options=RunOptions())  # decodes ahead
        self._frames = iter(self._run)
        self._next: Frame | None = None

    def find(self, pts: int) -> Image | None:
        """Give the image that is shown then; None if there is none."""
        while self._next is None or self._next.pts < pts:
            self._next = next(self._frames, None)
            if self._next is None:
                return None
        return self._next.image if self._next.pts == pts else None

    def close(self, steps: StepTimes) -> None:
        """End the reading, and say how long it took."""
        self._run.close()
        for step, time in self._run.report.steps.as_dict().items():
            steps.add(step, time["total_s"], calls=int(time["calls"]))


@lru_cache(maxsize=8)
def _black(height: int, width: int) -> Image:
    """Make an image that takes no memory."""
    image: Image = np.broadcast_to(np.uint8(0), (height, width, 3))
    return image
