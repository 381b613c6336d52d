"""The way of frames through the steps of a plan: to handlers and back, into order, to lanes, out.

It decides for every number of every stream which one outcome it has. It knows no sockets and no
processes; whoever uses it sends what it gives out and tells it what came back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sightline.errors import StageError
from sightline.graph.dispatch import Dispatcher
from sightline.graph.modes import Mode
from sightline.graph.objects import busy_ns, selected_rows, with_parts
from sightline.graph.plan import StepKind
from sightline.graph.record import FrameRecord, Moments, WorkItem
from sightline.graph.resequence import Resequencer
from sightline.graph.workbench import failure_of
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.report import FailedFrame
from sightline.transport.messages import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.graph.dispatch import Drop
    from sightline.graph.plan import Step
    from sightline.graph.report import GraphReport
    from sightline.graph.streams import StreamState
    from sightline.transport.link import Buffer
    from sightline.transport.messages import Admit, Failure, Result

__all__ = ["Traffic"]


class Traffic:
    """Frames under way. Used by one thread.

    Args:
        steps: The plan.
        report: Where duplicates and fail-overs are counted.
        max_attempts: How many handlers may die of one frame before it is given up.
        on_settled: Called with every frame that has its outcome.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        report: GraphReport,
        *,
        max_attempts: int,
        on_settled: Callable[[StreamState, FrameRecord], None],
    ) -> None:
        self._steps = steps
        self._last = len(steps) - 1
        self._report = report
        self._on_settled = on_settled
        self._streams: dict[str, StreamState] = {}
        self._dispatcher: Dispatcher[WorkItem] = Dispatcher(max_attempts=max_attempts)
        self._order: Resequencer[FrameRecord] = Resequencer()
        self._orphans_ns: dict[object, int] = {}

    def add_stream(self, state: StreamState) -> None:
        """Make ready for the frames of a stream."""
        self._streams[state.name] = state
        self._dispatcher.add_stream(state.name, state.policy)
        for step in self._ordered():
            self._order.begin(_lane(state.name, step), epoch=state.epoch, first_seq=0)

    def new_epoch(self, state: StreamState) -> None:
        """Expect the frames of the stream's new epoch after those of the one before."""
        for step in self._ordered():
            self._order.begin(_lane(state.name, step), epoch=state.epoch, first_seq=state.admitted)

    def remove_stream(self, state: StreamState) -> None:
        """Forget a stream of which nothing is under way."""
        if self._streams.pop(state.name, None) is not None:
            self._dispatcher.remove_stream(state.name)
            for step in self._ordered():
                self._order.forget(_lane(state.name, step))

    def admit(self, state: StreamState, feeder: bytes, message: Admit) -> None:
        """Take a frame in, or the number of one that its source dropped."""
        about = state.placed(message.frame)
        record = FrameRecord(
            about,
            feeder,
            message.pixels,
            Moments(about.captured_ns, admitted_ns=time.monotonic_ns()),
            output=message.output,
        )
        if message.pixels is not None and message.pixels.slot is not None:
            record.slots.append(message.pixels.slot)
        if message.output is not None:
            record.slots.append(message.output)
        state.took(about)
        if message.dropped:
            record.dropped = ("source", message.dropped)
        elif state.policy.mode is not Mode.EVERY_FRAME and state.in_flight >= state.window:
            # Make room for the frame that comes next: the oldest one would be stale first.
            self._drop(self._dispatcher.drop_oldest(state.name, "window full"))
        self._advance(record)

    def assign(self) -> list[tuple[bytes, Work, Buffer | None]]:
        """Give out what can be given out: to whom, what, and pixels that lie in no slot."""
        given, drops = self._dispatcher.assign(time.monotonic_ns())
        for drop in drops:
            self._drop(drop)
        return [(handler, _message(item), item.record.payload) for handler, item in given]

    def handler_joined(self, identity: bytes, *, batch: int) -> None:
        """Give work to a handler from now on."""
        self._dispatcher.join(identity, capacity=2 * batch, batch=batch)

    def handler_left(self, identity: bytes, reason: str) -> None:
        """Have the work of a dead handler done by others, or give it up after many attempts."""
        now_ns = time.monotonic_ns()
        held = self._dispatcher.outstanding(identity)
        for item in held:
            self._orphans_ns.setdefault(item.key, now_ns)
        for item in self._dispatcher.leave(identity):
            self._orphans_ns.pop(item.key, None)
            stage = self._steps[item.step].stages[0][0]
            self._fail(
                item.record,
                FailedFrame(
                    seq=item.record.about.seq,
                    stage=stage,
                    error=f"given up after {item.attempts} attempts: {reason}",
                    traceback="",
                ),
            )
            self._returned(item)
        for item in held:
            self._withdraw_others(item)

    def result(self, identity: bytes, message: Result, payload: Buffer | None) -> bool:
        """Take a result; False: nobody waits for it any more."""
        key = (*message.frame.key, message.step, message.part)
        busy_s = (message.ended_ns - message.started_ns) * 1e-9
        item = self._dispatcher.finish(identity, key, busy_s=busy_s)
        if item is None:
            self._report.duplicates += 1
            return False
        now_ns = time.monotonic_ns()
        if self._orphans_ns and (died_ns := self._orphans_ns.pop(key, None)) is not None:
            self._report.failovers.add((now_ns - died_ns) * 1e-9)
        record = item.record
        moments = record.moments
        if not moments.ordered_ns:
            moments.started_ns = moments.started_ns or message.started_ns
            moments.ended_ns, moments.collected_ns = message.ended_ns, now_ns
        record.times.extend(message.times)
        record.kept = record.kept or message.kept
        if message.failure is not None:
            self._fail(record, _failure(record, message.failure))
        if item.part >= 0:
            record.parts[item.part] = message
        else:
            moments.busy_ns += busy_ns([message])
            if message.dropped_by:
                record.dropped = (message.dropped_by, "")
            else:
                _update(record, message, payload)
        self._withdraw_others(item)
        self._returned(item)
        return True

    def came_back(self, record: FrameRecord) -> None:
        """Take a frame back from its lane."""
        if record.step == self._last:
            self._settle(record)
        else:
            record.step += 1
            self._advance(record)

    def queued(self, stream: str) -> int:
        """Count the frames of a stream, or objects of them, that wait for a handler."""
        return self._dispatcher.queued(stream) if stream in self._streams else 0

    def drop_waiting(self, state: StreamState, reason: str) -> None:
        """Drop the frames of a stream that no handler has begun."""
        while (drop := self._dispatcher.drop_oldest(state.name, reason)) is not None:
            self._drop(drop)

    def _ordered(self) -> list[int]:
        return [n for n, step in enumerate(self._steps) if step.kind is StepKind.ORDERED]

    def _drop(self, drop: Drop[WorkItem] | None) -> None:
        if drop is not None:
            self._orphans_ns.pop(drop.work.key, None)
            drop.work.record.dropped = ("dispatch", drop.reason)
            self._returned(drop.work)

    def _withdraw_others(self, item: WorkItem) -> None:
        """Give no further objects of a frame to handlers if it has failed."""
        if item.part < 0 or not item.record.is_over or item.stream not in self._streams:
            return
        for other in self._dispatcher.withdraw(item):
            self._orphans_ns.pop(other.key, None)
            self._returned(other)

    def _returned(self, item: WorkItem) -> None:
        """Go on with a frame of which a piece of work is done, if it was the last one."""
        record = item.record
        if record.about.stream not in self._streams:
            return  # its lane was closed meanwhile; the frame counts as stopped
        if item.part >= 0:
            record.missing -= 1
            if record.missing:
                return
            record.moments.busy_ns += busy_ns(record.parts.values())
            if not record.is_over:
                self._join(record)
            record.parts = {}
        record.step = item.step + 1
        self._advance(record)

    def _join(self, record: FrameRecord) -> None:
        try:
            record.data = with_parts(record, record.parts)
        except ValueError as error:
            self._fail(record, failure_of(record.about.seq, "graph", error))

    def _advance(self, record: FrameRecord) -> None:
        """Take a frame into the step that it is due for, or on from there."""
        while True:
            kind = self._steps[record.step].kind
            if kind is StepKind.ORDERED:
                self._queue_in_order(record)
                return
            if not record.is_over:
                rows = self._rows(record) if kind is StepKind.OBJECTS else [-1]
                if rows:
                    self._submit(record, rows)
                    return
            record.step += 1

    def _rows(self, record: FrameRecord) -> list[int]:
        ((name, stage),) = self._steps[record.step].stages
        assert isinstance(stage, PerObject)  # what an OBJECTS step is
        try:
            return selected_rows(record, stage)
        except ValueError as error:
            self._fail(record, failure_of(record.about.seq, name, error))
            return []

    def _submit(self, record: FrameRecord, rows: list[int]) -> None:
        record.missing = len(rows)
        for row in rows:
            item = WorkItem(record, record.step, row, urgent=record.step > 0 or row >= 0)
            for drop in self._dispatcher.submit(item):
                self._drop(drop)

    def _queue_in_order(self, record: FrameRecord) -> None:
        about = record.about
        step = record.step
        released = self._order.accept(_lane(about.stream, step), about.epoch, about.seq, record)
        if released is None:
            self._report.duplicates += 1
            return
        lane = self._streams[about.stream].lane
        for next_one in released:
            if next_one.is_over or lane is None:
                self.came_back(next_one)
            else:
                lane.put(next_one)

    def _settle(self, record: FrameRecord) -> None:
        state = self._streams[record.about.stream]
        state.settled += 1
        self._on_settled(state, record)

    def _fail(self, record: FrameRecord, failure: FailedFrame) -> None:
        record.failure = record.failure or failure


def stage_error(record: FrameRecord, failure: FailedFrame) -> StageError:
    """Make the error that ends a graph because of a failed frame."""
    error = StageError(
        f"stage {failure.stage!r} failed on frame {failure.seq} of stream "
        f"{record.about.stream!r}: {failure.error}",
        stage=failure.stage,
        seq=failure.seq,
    )
    error.__cause__ = record.error
    return error


def _lane(stream: str, step: int) -> str:
    return f"{stream}\n{step}"


def _message(item: WorkItem) -> Work:
    record = item.record
    pixels = record.pixels
    assert pixels is not None  # frames without pixels are over
    return Work(
        record.about,
        pixels,
        item.step,
        item.part,
        record.objects,
        record.data,
        record.output if item.part < 0 else None,
    )


def _update(record: FrameRecord, result: Result, payload: Buffer | None) -> None:
    if result.pixels is not None:
        record.pixels, record.payload = result.pixels, payload
        slot = result.pixels.slot
        if slot is not None and slot == record.output:
            record.output = None
    if result.objects is not None:
        record.objects = result.objects
    if result.data is not None:
        record.data = result.data


def _failure(record: FrameRecord, failure: Failure) -> FailedFrame:
    return FailedFrame(
        seq=record.about.seq,
        stage=failure.stage,
        error=failure.error,
        traceback=failure.traceback,
    )
