"""A lane: the thread in which the frames of one stream pass stream stages and sinks, in order."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import GraphError, ProtocolError
from sightline.graph.changes import Changes, took_change
from sightline.graph.loans import Loans
from sightline.graph.plan import StepKind
from sightline.graph.telling import as_error
from sightline.graph.workbench import failure_of, place
from sightline.pipeline.outcome import Outcome, StageRow
from sightline.pipeline.stage import copy_of
from sightline.transport.frames import frame_of, pack_data, pack_objects, unpack_data
from sightline.transport.slot_reader import SlotReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.frame import Frame
    from sightline.graph.plan import Step
    from sightline.graph.record import FrameRecord
    from sightline.pipeline.stage import Stage
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo

__all__ = ["Lane", "LaneOptions"]

_UNTOLD_S = 0.001
"""How long frames that are done may wait for others, for the hub to be woken once for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOptions:
    """How a lane works.

    Attributes:
        steps: The whole plan.
        staleness_s: Frames older than this are dropped before the first ordered step, where the
            time that handlers were at work on them does not count; None: none.
        on_done: Called in the lane's thread with a frame that it is finished with for now.
        on_open: Called in the lane's thread when stages and sinks are open, or could not be.
        on_end: Called in the lane's thread when it has closed its sinks, with what went wrong.
        wake: Called in the lane's thread soon after each of these, once for several frames.
        on_refused: Called in the lane's thread with a stage that refuses a change, and the values.
    """

    steps: Sequence[Step]
    staleness_s: float | None
    on_done: Callable[[FrameRecord], None]
    on_open: Callable[[], None]
    on_end: Callable[[Exception | None], None]
    wake: Callable[[], None]
    on_refused: Callable[[str, dict[str, Any]], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class _Change:
    """Change parameters of a stage."""

    stage: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows. `discard`: give up outputs that have no frame."""

    discard: bool


class _OrderedStep:
    """The stages of one ordered step: copies, made anew for every epoch of the stream."""

    def __init__(self, stages: Sequence[tuple[str, Stage]]) -> None:
        self.row = StageRow([])
        self.by_name: dict[str, Stage] = {}
        self.epoch: int | None = None
        self._originals = stages
        self._opened = ExitStack()

    def open(self) -> None:
        """Open copies of the stages, in place of those before."""
        self._opened.close()
        stages = [(name, copy_of(stage)) for name, stage in self._originals]
        with ExitStack() as stack:
            for _, stage in stages:
                stack.enter_context(stage)
            self._opened = stack.pop_all()
        self.row = StageRow(stages)
        self.by_name = dict(stages)

    def close(self) -> None:
        self._opened.close()


class Lane:
    """The ordered part of one stream.

    Its stages and sinks are opened in its thread; what is put before that waits.

    Args:
        stream: The stream.
        sinks: Where its frames go.
        options: How it works.

    Attributes:
        stream: The stream.
        doing: Whose code it is in, or was last.
        is_open: Its stages and sinks are open, or could not be.
        error: What went wrong with them; from then on frames are dropped.
    """

    def __init__(self, stream: StreamInfo, sinks: Sequence[Sink], options: LaneOptions) -> None:
        self._options = options
        self._sinks = [(f"sink:{type(sink).__name__}", sink) for sink in sinks]
        self.stream = stream
        self._reader = SlotReader()
        self._loans = Loans(self._reader)
        self._written = 0
        self._last = len(options.steps) - 1
        self._steps = {
            number: _OrderedStep(step.stages)
            for number, step in enumerate(options.steps)
            if step.kind is StepKind.ORDERED
        }
        self._changes = Changes()
        self._opened: list[Sink] = []
        self._queue: SimpleQueue[FrameRecord | _Change | _End] = SimpleQueue()
        self._is_cut = False
        self.doing = "a sink"
        self.is_open = False
        self.error: Exception | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"sightline-lane-{stream.name}", daemon=True
        )
        self._thread.start()

    def put(self, record: FrameRecord) -> None:
        """Queue the next frame; `record.step` says which step it is due for."""
        self._queue.put(record)

    def change(self, stage: str, parameters: dict[str, Any]) -> None:
        """Change parameters of a stage for the frames that follow."""
        self._queue.put(_Change(stage, parameters))

    def cut(self) -> None:
        """Drop what is queued instead of processing it."""
        self._is_cut = True

    def end(self, *, discard: bool) -> None:
        """Let the lane finish what is queued, close its sinks and end."""
        self._queue.put(_End(discard))

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        discard = False
        try:
            discard = self._work()
        except BaseException as error:  # noqa: BLE001 - thread boundary: handed over by `error`
            self._fail(error)
        try:
            self._close(discard=discard)
        finally:
            self._options.on_end(self.error)
            self._options.wake()

    def _work(self) -> bool:
        """Open stages and sinks, and take what comes; return whether to discard empty outputs."""
        self._attempt(self._open)
        self.is_open = True
        self._options.on_open()
        self._options.wake()
        woken_s = 0.0
        while not isinstance(item := self._queue.get(), _End):
            if isinstance(item, _Change):
                self._attempt(self._change, item.stage, item.parameters)
            else:
                self._guarded(item)
                self._options.on_done(item)
                now_s = time.monotonic()
                if now_s - woken_s > _UNTOLD_S or self._queue.empty():
                    self._options.wake()
                    woken_s = now_s
            item = None
        return item.discard

    def _open(self) -> None:
        for step in self._steps.values():
            step.open()
        for _, sink in self._sinks:
            if self._is_cut:
                return
            sink.open(self.stream)
            self._opened.append(sink)

    def _change(self, name: str, parameters: dict[str, Any]) -> None:
        """Change a stage, if it is one of this lane, now and for the epochs that follow."""
        stages = [step.by_name[name] for step in self._steps.values() if name in step.by_name]
        if not stages:
            return
        if took_change(stages[0], name, parameters):
            self._changes.note(name, parameters)
        else:
            self._options.on_refused(name, parameters)

    def _guarded(self, record: FrameRecord) -> None:
        try:
            self._process(record)
        except BaseException as error:  # noqa: BLE001 - thread boundary: handed over by `error`
            clear_frames(error.__traceback__)  # they hold the image
            self._fail(error)
            record.failure = record.failure or failure_of(record.about.seq, "sinks", error)

    def _process(self, record: FrameRecord) -> None:
        now = time.monotonic_ns()
        if self._is_cut:
            record.dropped = ("lane", "stopped")
            return
        if not record.moments.ordered_ns:
            record.moments.ordered_ns = now
            if self._is_stale(record):
                record.dropped = ("collector", "stale")
                return
        if self.error is not None:
            record.dropped = ("sinks", "failed before")
            return
        self.doing = "a stage in order"
        outcome = self._step(record).row.process(self._frame(record))
        self.doing = "a sink"
        record.times.extend(outcome.times)
        frame = outcome.frame
        if frame is None:
            self._settle(record, outcome)
        elif record.step == self._last:
            for name, sink in self._sinks:
                started = time.perf_counter()
                sink.write(frame)
                record.times.append((name, time.perf_counter() - started))
            self._written += 1
        elif self._is_packed(record, frame):
            return
        record.moments.done_ns = time.monotonic_ns()
        del frame, outcome
        if record.borrowed is not None:
            record.kept = self._loans.settle([record.borrowed]) or record.kept
            record.borrowed = None

    def _is_stale(self, record: FrameRecord) -> bool:
        """Tell whether a frame waited too long.

        Under overload handlers begin every frame when it is almost stale: if their work counted,
        all that they do would be dropped here.
        """
        at, limit = record.moments, self._options.staleness_s
        waited_ns = at.ordered_ns - record.about.captured_ns - at.busy_ns
        return limit is not None and waited_ns > limit * 1e9

    def _step(self, record: FrameRecord) -> _OrderedStep:
        """Return the step that a frame is due for, with fresh stages if its epoch is new."""
        step, epoch = self._steps[record.step], record.about.epoch
        if step.epoch not in (None, epoch):
            step.open()
            for name, parameters in self._changes:
                if name in step.by_name:
                    took_change(step.by_name[name], name, parameters)
        step.epoch = epoch
        return step

    def _frame(self, record: FrameRecord) -> Frame:
        """Make the frame, or bring the one that an earlier ordered step left up to date."""
        if record.frame is not None:
            frame, record.frame = record.frame, None
            return frame.replace(data=unpack_data(record.data)) if record.data else frame
        pixels = record.pixels
        if pixels is None:
            raise GraphError("a frame without pixels came to its lane")
        if pixels.slot is not None:
            record.borrowed = self._loans.lend(pixels)
            image = record.borrowed.image
        else:
            image = np.frombuffer(record.payload or b"", np.uint8).reshape(pixels.shape)
        return frame_of(record.about, image, objects=record.objects, data=record.data)

    def _settle(self, record: FrameRecord, outcome: Outcome) -> None:
        record.failure, record.error = outcome.failure, outcome.error
        if outcome.error is not None:
            clear_frames(outcome.error.__traceback__)  # they hold the image
        if outcome.dropped_by is not None:
            record.dropped = (outcome.dropped_by, "")

    def _is_packed(self, record: FrameRecord, frame: Frame) -> bool:
        """Make a frame ready for handlers; False: it has failed, as it cannot travel to them."""
        try:
            self._pack(record, frame)
        except ProtocolError as error:
            record.failure = failure_of(record.about.seq, "graph", error)
            return False
        return True

    def _pack(self, record: FrameRecord, frame: Frame) -> None:
        """Make a frame ready for a step that handlers do.

        Raises:
            ProtocolError: Its data or detections hold what cannot be sent to another process.
        """
        record.objects = pack_objects(frame.detections)
        record.data = pack_data(frame.data) if frame.data else b""
        if record.borrowed is None or frame.image is not record.borrowed.image:
            record.pixels, record.payload = place(
                frame.image,
                self._reader,
                given=None if record.pixels is None else record.pixels.slot,
                output=record.output,
            )
        record.frame = frame

    def _close(self, *, discard: bool) -> None:
        """Close what was opened; `error` tells what went wrong first."""
        with ExitStack() as closing:
            closing.callback(self._attempt, self._reader.close)
            for step in self._steps.values():
                closing.callback(self._attempt, step.close)
            nothing = self._written == 0 and (discard or self.error is not None)
            for sink in reversed(self._opened):
                closing.callback(self._attempt, sink.discard if nothing else sink.close)

    def _attempt(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except BaseException as error:  # noqa: BLE001 - foreign code; handed over by `error`
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Note what went wrong first; also what is no error, or the stream would stand still."""
        self.error = self.error or as_error(error)
