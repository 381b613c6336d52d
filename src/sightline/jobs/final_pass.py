"""The final pass of a job: the stages that need the frames in order, and every output.

It begins while chunks are still being worked on, and follows them. What it writes comes to its
place when it is complete; see `publish`.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, closing
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sightline.errors import MediaError, StageError
from sightline.jobs.allowance import Allowance
from sightline.jobs.feed import FeedEnd
from sightline.jobs.files import RESULTS_INDEX
from sightline.jobs.final_input import ChunkInput, VideoInput
from sightline.jobs.limits import LimitError, MediaLimits
from sightline.jobs.preview import PREVIEW_NAME, make_preview, playback_start_s
from sightline.jobs.publish import drop, prepare, publish
from sightline.jobs.results_index import IndexFile
from sightline.jobs.sniff import source_options
from sightline.jobs.split import split
from sightline.jobs.store import Finalized
from sightline.media.files import open_file
from sightline.media.naming import safe_name
from sightline.pipeline.definition import parse_definition
from sightline.pipeline.inline import RunOptions, frames_in_window
from sightline.pipeline.outcome import StageRow
from sightline.pipeline.outputs import make_sinks
from sightline.pipeline.report import RunReport
from sightline.pipeline.summary import summarise, write_summary
from sightline.pipeline.write_behind import WriteBehind
from sightline.sinks.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.jobs.feed import ChunkFeed
    from sightline.jobs.files import JobFiles
    from sightline.jobs.final_input import FinalInput
    from sightline.jobs.heartbeat import Heartbeat
    from sightline.jobs.model import JobSpec, Lease
    from sightline.media.options import SourceOptions
    from sightline.media.source import Source
    from sightline.pipeline.outcome import Outcome

__all__ = ["do_final"]

_log = logging.getLogger(__name__)

_WAIT_S = 0.2
_MOST_FAILURES_TOLD = 20


def do_final(
    lease: Lease,
    files: JobFiles,
    chunks: ChunkFeed,
    heartbeat: Heartbeat,
    *,
    limits: MediaLimits | None = None,
) -> Finalized:
    """Do the final pass of a job.

    Frames are numbered, dropped and counted as failed as in an inline run of the whole pipeline,
    and the outputs are the same. When the job is failing, what the feed still gives is done; when
    it is canceled, the pass ends at once; the outputs are complete for the frames until then. What
    ends early replaces older results only if it has come further than they.

    Args:
        lease: Of the final pass.
        files: Those of the job.
        chunks: The results of its chunks.
        heartbeat: Of the lease; it only notes that it is to wrap up.
        limits: Those of the service; None: the defaults.

    Returns:
        What was published, if anything. With a failure, if more frames failed than the job allows,
        those in chunks counted, or if there are more tracks, or objects in a frame, than the limits
        allow.

    Raises:
        StageError: The same, before there is a frame to be published.
        LimitError: The same.
        SightlineError: The pipeline, the video, a chunk's result or an output cannot be used.
        TaskStoppedError: From the heartbeat.
    """
    prepare(files, lease.token)
    final = _FinalPass(
        lease, files, chunks=chunks, heartbeat=heartbeat, limits=limits or MediaLimits()
    )
    work = final.open_input()
    if work is None:
        return Finalized(frames=0, partial=True, keeps_older=final.has_older_of(0))
    failure: StageError | LimitError | None = None
    try:
        final.run(work)
    except (StageError, LimitError) as error:
        if not final.report.frames:
            raise
        failure = error
    return final.finish(work, failure)


class _FinalPass:
    """One attempt, from its input to its published results."""

    report: RunReport

    def __init__(
        self,
        lease: Lease,
        files: JobFiles,
        *,
        chunks: ChunkFeed,
        heartbeat: Heartbeat,
        limits: MediaLimits,
    ) -> None:
        spec = lease.job.spec
        self._lease = lease
        self._files = files
        self._limits = limits
        self._folder = files.final(lease.token)
        self._parts = split(parse_definition(dict(spec.definition)).pipeline, outputs=spec.outputs)
        self._chunks = chunks
        self._heartbeat = heartbeat
        self._tally = Tally()
        self._started_s = time.monotonic()
        self._seen = 0
        self._first_s: float | None = None

    def open_input(self) -> FinalInput | None:
        """Open what there is to work on; None if it has ended before its first chunk."""
        name = safe_name(PurePath(self._spec.source_name).stem)
        if not self._parts.chunk_stages:
            return VideoInput(self._open_video(), name=name)
        first = self._first_chunk()
        if first is None:
            return None
        pictures = self._open_video if self._parts.final_reads_images else None
        return ChunkInput(first, self._chunks, name=name, open_pictures=pictures)

    def run(self, work: FinalInput) -> None:
        """Take every frame through the stages to the outputs."""
        index = IndexFile(self._folder / RESULTS_INDEX)
        stages = self._parts.final_stages
        with ExitStack() as stack:
            stack.enter_context(closing(work))
            for _, stage in stages:
                stack.enter_context(stage)
            self.report = RunReport(
                stream=work.stream,
                stages=[*work.stages, *(stage.describe() for _, stage in stages)],
                losses=work.losses,
                steps=work.steps,
            )
            sinks = make_sinks(self._spec.outputs, self._folder, tracked=self._spec.tracked)
            window = frames_in_window(RunOptions().window_bytes, work.stream)
            writer = WriteBehind(
                [*sinks, index, self._tally], work.stream, window=window, times=work.steps
            )
            with writer:
                try:
                    self._follow(work, index, writer)
                finally:
                    self._heartbeat.expect_silence()

    def finish(self, work: FinalInput, failure: StageError | LimitError | None) -> Finalized:
        """Make the rest, and publish everything."""
        partial = work.cut_short or failure is not None
        if partial and self.has_older_of(self._seen):
            drop(self._files, self._lease.token)
            return Finalized(frames=self._seen, partial=True, failure=failure, keeps_older=True)
        warnings = list(work.losses.messages)
        self.report.stopped = work.cut_short
        self.report.wall_s = self._wall_s()
        summary = self._summary({} if work.cut_short else self._playback(warnings))
        write_summary(self._folder, summary)
        self._heartbeat.report(frames_done=self._seen)
        publish(self._files, self._lease.token)
        told = {**summary, "failed": summary["failed"][:_MOST_FAILURES_TOLD]}
        return Finalized(
            frames=self._seen,
            partial=partial,
            summary=told,
            warnings=warnings,
            failure=failure,
        )

    def has_older_of(self, frames: int) -> bool:
        """Tell whether there are results of at least so many frames from before."""
        kept = self._lease.job.progress.frames_kept
        return 0 < kept >= frames

    @property
    def _spec(self) -> JobSpec:
        return self._lease.job.spec

    def _options(self) -> SourceOptions:
        spec = self._spec
        return source_options(
            self._files.source, limits=self._limits, start_s=spec.start_s, end_s=spec.end_s
        )

    def _open_video(self) -> Source:
        return open_file(self._files.source, options=self._options())

    def _first_chunk(self) -> Path | None:
        while (given := self._chunks.next(timeout_s=_WAIT_S)) is None:
            if self._must_end():
                return None
        if given is FeedEnd.COMPLETE:
            raise RuntimeError("the pipeline has stages for chunks, but the job has no chunks")
        return None if isinstance(given, FeedEnd) else given

    def _follow(self, work: FinalInput, index: IndexFile, writer: WriteBehind) -> None:
        row, allowance = StageRow(self._parts.final_stages), Allowance(self._limits)
        with closing(work.outcomes()) as outcomes:
            for outcome in outcomes:
                if self._must_end():
                    return
                if outcome is None:
                    index.flush()
                    continue
                _proceed(outcome, row, allowance)
                frame = self.report.settle(outcome, max_failures=self._spec.max_failures)
                self._seen += 1
                if frame is not None:
                    self._first_s = frame.time_s if self._first_s is None else self._first_s
                    writer.put(frame)

    def _must_end(self) -> bool:
        """Report, and find out whether not even what is finished is to be done."""
        self._heartbeat.report(frames_done=self._seen)
        in_chunks = bool(self._parts.chunk_stages)
        return self._heartbeat.wrap_up and (self._chunks.canceled or not in_chunks)

    def _wall_s(self) -> float:
        """Seconds since the first frame of the job was begun."""
        since = self._lease.job.progress.detect_since
        own_s = time.monotonic() - self._started_s
        return own_s if since is None else max(own_s, self._heartbeat.now_s() - since)

    def _playback(self, warnings: list[str]) -> dict[str, float]:
        """Make the preview if one is needed; tell what time the clock of a player shows as 0."""
        video = self._lease.job.video
        if video is None:
            return {}
        source, options = self._files.source, self._options()
        try:
            if video.playable:
                return {"video": playback_start_s(source, options=options)}
            preview = self._folder / PREVIEW_NAME
            start_s = make_preview(source, preview, options=options, stop=self._must_end)
        except MediaError as error:
            _log.warning("no preview job=%s error=%s", self._lease.job.id, error)
            warnings.append("no copy of the video could be made that a browser can play")
            return {}
        return {} if start_s is None else {"video": start_s}

    def _summary(self, playback: dict[str, float]) -> dict[str, Any]:
        spec = self._spec
        summary = summarise(self.report, self._tally)
        for failed in summary["failed"]:
            _log.warning(
                "frame failed job=%s seq=%d stage=%s\n%s",
                self._lease.job.id,
                failed["seq"],
                failed["stage"],
                failed.pop("traceback"),  # not for clients: it shows the files of the service
            )
        return {
            "source": spec.source_name,
            **summary,
            "playback_starts_s": {"annotated": self._first_s, **playback},
            "options": {
                "pipeline": spec.pipeline,
                "params": dict(spec.params),
                "start_s": spec.start_s,
                "end_s": spec.end_s,
                "outputs": list(spec.outputs),
                "max_failures": spec.max_failures,
            },
        }


def _proceed(outcome: Outcome, row: StageRow, allowance: Allowance) -> None:
    """Take a frame through the stages, unless it is too much."""
    if outcome.frame is not None:
        allowance.take_frame(outcome.frame)
    row.proceed(outcome)
    if outcome.frame is not None:
        allowance.take_objects(outcome.frame.detections)
