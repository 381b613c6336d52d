"""Doing one chunk: its frames through the stages that need no order, to its result file.

All happens in the calling thread, one frame after the other: workers share the machine among
them, and a second thread per worker would only take turns with the others'.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from sightline.errors import ProtocolError, StageError
from sightline.jobs.allowance import Allowance
from sightline.jobs.chunk_result import ChunkWriter
from sightline.jobs.limits import MediaLimits
from sightline.jobs.sniff import source_options
from sightline.jobs.split import split
from sightline.jobs.store import ChunkDone
from sightline.media.files import open_file
from sightline.media.section import Section
from sightline.media.sections import open_section
from sightline.pipeline.definition import parse_definition
from sightline.pipeline.outcome import Outcome, StageRow
from sightline.pipeline.report import FailedFrame, StepTimes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.jobs.files import JobFiles
    from sightline.jobs.model import Lease, Span
    from sightline.media.container import ContainerSource
    from sightline.pipeline.pipeline import Pipeline

__all__ = ["PipelineCache", "Reports", "do_chunk", "open_span"]

_encoder = msgspec.json.Encoder(order="deterministic")


class Reports(Protocol):
    """What a chunk needs of a heartbeat; `jobs.heartbeat.Heartbeat` is one."""

    def report(self, *, frames_done: int = 0) -> None:
        """Note how far the chunk is; raise what ends it."""


class PipelineCache:
    """Open pipelines by their definitions, so that a worker loads a model once.

    One thread uses it. Limit the process to its share of cores (`processors.limit_cores`) before
    the first pipeline is opened.

    Args:
        most: How many stay open; the one that was not used for the longest time is closed.
    """

    def __init__(self, most: int = 2) -> None:
        if most < 1:
            raise ValueError(f"a cache must keep at least 1 pipeline, but is to keep {most}")
        self._most = most
        self._pipelines: OrderedDict[bytes, Pipeline] = OrderedDict()

    def get(self, definition: Mapping[str, Any]) -> Pipeline:
        """Give the pipeline of a definition, open.

        Raises:
            PipelineError: The definition is wrong.
            ModelError: A model cannot be loaded.
        """
        key = _encoder.encode(definition)
        pipeline = self._pipelines.pop(key, None)
        if pipeline is None:
            while len(self._pipelines) >= self._most:
                self._pipelines.popitem(last=False)[1].close()
            pipeline = parse_definition(dict(definition)).pipeline
            pipeline.open()
        self._pipelines[key] = pipeline
        return pipeline

    def close(self) -> None:
        """Close all pipelines."""
        while self._pipelines:
            self._pipelines.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_span(
    path: Path,
    span: Span,
    *,
    limits: MediaLimits | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> ContainerSource:
    """Open the video of a job to read the frames of one of its spans.

    Args:
        path: The video.
        span: Of `plan_spans`, with the same times.
        limits: Those of the service; None: the defaults.
        start_s: Where the job's part of the video begins.
        end_s: Where it ends.

    Raises:
        MediaError: It cannot be read, or a span without bounds has no frame.
        SourceError: It is no video that is accepted.
        OSError: It cannot be read.
    """
    options = source_options(path, limits=limits)
    if span.begin_pts is None and span.end_pts is None:
        return open_file(path, options=replace(options, start_s=start_s, end_s=end_s))
    section = Section(begin_pts=span.begin_pts, end_pts=span.end_pts, entry_pts=span.seek_pts)
    return open_section(path, section, options=options)


def do_chunk(
    lease: Lease,
    files: JobFiles,
    pipelines: PipelineCache,
    heartbeat: Reports,
    *,
    limits: MediaLimits | None = None,
) -> ChunkDone:
    """Take the frames of a chunk through its stages; the result lies at `files.chunk(…)` then.

    However it ends, what was not finished is removed.

    Args:
        lease: For a chunk.
        files: The files of its job.
        pipelines: Of this worker.
        heartbeat: Told of every frame.
        limits: Those of the service; None: the defaults.

    Raises:
        LimitError: There is more in the chunk than the limits allow for a whole job.
        MediaError: The video cannot be read.
        PipelineError, ModelError: The pipeline cannot be made.
        StageError: Stages raised on more frames of this chunk than the whole job allows.
        OSError: The result cannot be written.
    """
    spec, task = lease.job.spec, lease.task
    stages = split(pipelines.get(spec.definition), outputs=spec.outputs).chunk_stages
    limits = limits or MediaLimits()
    source = open_span(
        files.source, task.span, limits=limits, start_s=spec.start_s, end_s=spec.end_s
    )
    with (
        closing(source),
        ChunkWriter(
            files.chunk(task.number, lease.token),
            stream=source.info,
            stages=[stage.describe() for _, stage in stages],
        ) as writer,
    ):
        row, times, allowance = StageRow(stages), StepTimes(), Allowance(limits)
        failures = done = 0
        for frame in _timed(source.frames(), times):
            allowance.take_frame(frame)
            outcome = _take_through(frame, row, writer=writer, times=times)
            if outcome.frame is not None:
                allowance.take_objects(outcome.frame.detections)
            if outcome.failure is not None:
                failures += 1
                if failures > spec.max_failures:
                    raise _too_many(frame, outcome.failure) from outcome.error
            done += 1
            heartbeat.report(frames_done=done)
        writer.finish(source.losses, steps=times.totals())
    return ChunkDone(frames=done)


def _timed(frames: Iterator[Frame], times: StepTimes) -> Iterator[Frame]:
    """Yield the frames, and enter how long it took to read each."""
    while True:
        started = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            return
        times.add("read", time.perf_counter() - started)
        yield frame


def _take_through(frame: Frame, row: StageRow, *, writer: ChunkWriter, times: StepTimes) -> Outcome:
    """Take a frame through the stages, and note what became of it."""
    outcome = row.process(frame)
    for name, elapsed_s in outcome.times:
        times.add(name, elapsed_s)
    try:
        writer.add(frame, outcome)
    except ProtocolError as error:  # a stage put into `data` what cannot be written
        failure = FailedFrame(
            seq=frame.seq, stage=outcome.times[-1][0], error=str(error), traceback=""
        )
        outcome = Outcome(frame=None, failure=failure, error=error)
        writer.add(frame, outcome)
    return outcome


def _too_many(frame: Frame, failure: FailedFrame) -> StageError:
    """Make the error that ends the job; its number counts from the first frame of the chunk."""
    return StageError(
        f"stage {failure.stage!r} failed on the frame at {frame.time_s:.2f} s: {failure.error}",
        stage=failure.stage,
        seq=frame.seq,
    )
