"""The inline runner: a whole pipeline in this process, with threads only where they pay.

    reader thread ──frames──► stateless stages ──in order──► the caller's thread: the rest
    (decodes ahead)           (a few threads)                (stream stages, in order)

A queue of futures between reader and caller is both the window that bounds memory and the
order: the caller waits for the oldest frame, whichever thread works on it. What it does not know
is where frames come from and where they go.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from sightline.errors import MediaError
from sightline.media.source import frames_of
from sightline.pipeline.ending import at_end
from sightline.pipeline.outcome import Outcome, StageRow
from sightline.pipeline.raised import error_from
from sightline.pipeline.report import RunReport
from sightline.pipeline.stage import copy_of
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from sightline.frame import Frame
    from sightline.media.source import Source
    from sightline.pipeline.report import StepTimes
    from sightline.pipeline.stage import Stage
    from sightline.stream import StreamInfo

__all__ = ["InlineRun", "RunOptions", "frames_in_window"]

_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run behaves.

    Attributes:
        max_failures: How many frames may fail before the run does. A frame on which a stage
            raises is recorded in the report and skipped; one more than this many ends the run
            with `StageError`.
        window_bytes: Bound on the pixels of frames read ahead, and again of results not yet
            written; at least 4 and at most 32 frames each.
        stop: Set it, from any thread, to end the run after the frame that is being finished.
    """

    max_failures: int = 0
    window_bytes: int = 64 * 2**20
    stop: threading.Event | None = None

    def __post_init__(self) -> None:
        if self.max_failures < 0:
            raise ValueError(f"max_failures must be 0 or more, but is {self.max_failures}")
        if self.window_bytes <= 0:
            raise ValueError(f"window_bytes must be positive, but is {self.window_bytes}")


def frames_in_window(window_bytes: int, stream: StreamInfo) -> int:
    """Count the BGR frames of a stream that fit into a window: at least 4, at most 32."""
    return max(4, min(32, window_bytes // max(1, 3 * stream.width * stream.height)))


class InlineRun:
    """One pass of one source through the stages of a pipeline; iterate it once for the frames.

    The stages must be open, but for the `STREAM` stages, of which the run opens copies of its
    own. The source is closed at the end of the iteration, or by `close()`.

    Attributes:
        report: The account of the run so far.
    """

    def __init__(
        self, source: Source, stages: Sequence[tuple[str, Stage]], *, options: RunOptions
    ) -> None:
        self._source = source
        self._stages = stages
        self._options = options
        self.report = RunReport(
            stream=source.info,
            losses=source.losses,
            stages=[stage.describe() for _, stage in stages],
        )
        self._frames = self._run()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        at_end(self.close)(kind, error, traceback)

    def close(self) -> None:
        """End the run: stop the threads, close the copies of stream stages and the source."""
        with ExitStack() as stack:
            stack.push(at_end(self._source.close))
            self._frames.close()

    def _run(self) -> Generator[Frame, None, None]:
        stop = self._options.stop
        window = frames_in_window(self._options.window_bytes, self.report.stream)
        started = time.perf_counter()
        with ExitStack() as stack:
            shared, ordered = self._rows(stack)
            reader = _Reader(self._source, shared, window=window, times=self.report.steps)
            stack.push(at_end(reader.close))
            reader.start()
            for outcome in reader.outcomes(stop):
                frame = self.report.settle(
                    ordered.proceed(outcome), max_failures=self._options.max_failures
                )
                self.report.wall_s = time.perf_counter() - started
                if frame is not None:
                    yield frame
                if stop is not None and stop.is_set():
                    break
            self.report.stopped = stop is not None and stop.is_set()
        self.report.wall_s = time.perf_counter() - started

    def _rows(self, stack: ExitStack) -> tuple[StageRow, StageRow]:
        """Split at the first stream stage; make this run's own copies of the stream stages."""
        stages = [
            (name, copy_of(stage) if stage.scope is Scope.STREAM else stage)
            for name, stage in self._stages
        ]
        for _, stage in stages:
            if stage.scope is Scope.STREAM:
                stage.open()
                stack.push(at_end(stage.close))
        cut = next(
            (i for i, (_, stage) in enumerate(stages) if stage.scope is Scope.STREAM), len(stages)
        )
        return StageRow(stages[:cut]), StageRow(stages[cut:])


class _Reader:
    """Reads a source ahead in a thread and has the frames processed by a few more."""

    def __init__(self, source: Source, row: StageRow, *, window: int, times: StepTimes) -> None:
        self._source = source
        self._row = row
        self._times = times
        self._pool = ThreadPoolExecutor(row.concurrency, thread_name_prefix="sightline-stages")
        self._pending: Queue[Future[Outcome] | Exception | None] = Queue(window)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="sightline-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """End the threads, and close the source; also if Ctrl-C came before they were begun."""
        self._stopping.set()
        with ExitStack() as stack:
            stack.callback(self._pool.shutdown, wait=True, cancel_futures=True)
            if self._thread.is_alive():
                stack.callback(self._thread.join)
            self._source.close()

    def outcomes(self, stop: threading.Event | None) -> Iterator[Outcome]:
        """Yield the outcome of every frame in order, until the source ends or `stop` is set.

        Raises:
            MediaError: The source failed for good.
        """
        while stop is None or not stop.is_set():
            try:
                item = self._pending.get(timeout=_POLL_S)
            except Empty:
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item.result()

    def _read(self) -> None:
        end: Exception | None = None
        try:
            frames = frames_of(self._source)
            while (frame := self._next(frames)) is not None:
                if not self._put(self._pool.submit(self._process, frame)):
                    return
        except BaseException as raised:  # noqa: BLE001 - thread boundary: handed to the caller
            end = error_from(raised, MediaError, by=f"source {self._source.info.name!r}")
        self._put(end)

    def _process(self, frame: Frame) -> Outcome:
        """Take a frame through the stages; what would end this thread is a failure like others."""
        outcome = Outcome(frame=frame)
        try:
            self._row.proceed(outcome)
        except BaseException:
            if outcome.failure is None:  # no stage raised it
                raise
        return outcome

    def _next(self, frames: Iterator[Frame]) -> Frame | None:
        started = time.perf_counter()
        frame = next(frames, None)
        if frame is not None:
            self._times.add("read", time.perf_counter() - started)
        return frame

    def _put(self, item: Future[Outcome] | Exception | None) -> bool:
        """Wait for room in the window; give up when the run ends."""
        while not self._stopping.is_set():
            try:
                self._pending.put(item, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False
