"""The hub of a graph on this machine: the thread that all messages go through.

It receives and sends, keeps time, and goes from opening to running to stopping. What is decided of
frames is in `traffic`, about sources in `inlets`, streams in `stream_lives`, handlers in `crew`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import GraphError, ProtocolError
from sightline.graph.calls import Calls
from sightline.graph.crew import PRELOADED, Crew
from sightline.graph.inlets import Inlets
from sightline.graph.modes import Mode
from sightline.graph.phase import Phase
from sightline.graph.plan import handler_stages
from sightline.graph.post import Post
from sightline.graph.report import GraphReport
from sightline.graph.stream_lives import StreamLives
from sightline.graph.telling import as_error, error_of, told_of
from sightline.graph.traffic import Traffic, stage_error
from sightline.transport.host import host_id
from sightline.transport.local_link import listen_local
from sightline.transport.messages import (
    Admit,
    Announce,
    Change,
    Ended,
    Hello,
    Message,
    NodeError,
    Ready,
    Result,
    Stop,
    Welcome,
    decode,
)
from sightline.transport.processes import Children
from sightline.transport.slot_reader import Borrowed
from sightline.transport.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.graph.hub_options import HubOptions
    from sightline.graph.record import FrameRecord
    from sightline.graph.streams import StreamState
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.transport.link import Buffer
    from sightline.transport.run_directory import RunDirectory

__all__ = ["Hub"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BURST = 64
"""Messages taken in before work is given out again."""
_TICK_S = 0.05
_FINISH_S = 0.5
"""How long frames under way may take to be finished when a graph is stopped."""
_CLOSE_S = 0.7
"""How long sinks may take to be closed after that."""
_PATIENCE_S = 5.0
"""How long streams that are there wait for sources that are not."""
_LATEST_FAILED = 5
"""How many failed frames of a stream a snapshot tells of."""
_LEAVE_S = 0.3
"""How long processes may take to leave by themselves when a graph is stopped."""
_RETIRE_S = 2.0
"""How long a process may take whose source is not read any more while the graph goes on."""


class Hub:
    """One graph, run by one thread, which is started by `start()`.

    Args:
        directory: Sockets and segments of this run; its owner closes it after the hub is over.
        options: How the graph runs.

    Attributes:
        report: The account of the graph so far. It belongs to the hub's thread until the graph is
            over; ask for `stats()` before.
    """

    def __init__(self, directory: RunDirectory, options: HubOptions) -> None:
        self.report = GraphReport()
        self._options = options
        self._address = directory.socket_path("hub")
        self._children = Children(PRELOADED)
        self._crew = Crew(
            self._children,
            options.plan.steps,
            size=options.handlers if handler_stages(options.plan.steps) else 0,
            deadline_s=options.deadline_s,
        )
        self._inlets = Inlets(self._children, options.for_inlets(directory, self._address))
        self._traffic = Traffic(
            options.plan.steps,
            self.report,
            max_attempts=options.max_attempts,
            on_settled=self._settled,
        )
        self._link = listen_local(self._address)
        self._wakeup = Wakeup()
        self._lives = StreamLives(
            options.plan,
            self.report,
            inlets=self._inlets,
            traffic=self._traffic,
            wakeup=self._wakeup,
        )
        self._post = Post(self._link)
        self._early: list[tuple[bytes, Admit]] = []
        self._batches: dict[bytes, int] = {}
        self._calls = Calls(self._wakeup.set)
        self._refused: set[bytes] = set()
        self._phase = Phase.OPENING
        self._phase_ends_s = 0.0
        self._started_s = time.monotonic()
        self._patience_ends_s = self._started_s + _PATIENCE_S
        self._next_tick_s = 0.0
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="sightline-hub", daemon=True)

    # For other threads

    def start(self, streams: Sequence[StreamSpec]) -> None:
        """Start the processes and the thread."""
        for spec in streams:
            self._inlets.open(spec)
        self._thread.start()

    def discard(self) -> None:
        """Close what was opened if the thread was never started; else that does it at its end."""
        if self._thread.ident is None:
            self._children.end_all(timeout_s=0)
            self._link.close()
            self._wakeup.close()

    def add(self, spec: StreamSpec) -> str:
        """Add a stream; return its name, a stand-in until its source is open."""
        return self._calls.make(lambda: self._lives.add(spec))

    def remove(self, name: str) -> None:
        """Let a stream end: what was admitted is finished, then its sinks are closed.

        Raises:
            GraphError: There is no such stream.
        """
        self._calls.make(lambda: self._lives.remove(name))

    def replace(self, name: str, spec: StreamSpec) -> None:
        """Take the frames of a stream from another source as soon as that is open.

        Raises:
            GraphError: There is no such stream, or it is at its end.
        """
        self._calls.make(lambda: self._lives.replace(name, spec))

    def change(self, change: Change) -> None:
        """Change parameters of a stage, from the next frames on. The caller has checked them."""
        self._calls.make(lambda: self._change(change))

    def stats(self) -> dict[str, Any]:
        """Take a snapshot of the account, with what is under way; the last one when it is over."""
        with suppress(GraphError):
            return self._calls.make(self._snapshot)
        return self._snapshot()  # no thread uses it any more

    def stop(self) -> None:
        """Begin to stop; `wait()` for the end. Does nothing if the graph is over."""
        with suppress(GraphError):
            self._calls.make(self._begin_stop)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the graph; return whether it has come.

        Raises:
            SightlineError: What made it fail.
        """
        done = self._calls.wait_for_end(timeout_s)
        if done and self._error is not None:
            raise self._error
        return done

    # The thread

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - thread boundary: raised by wait()
            self._error = self._error or as_error(error)
        try:
            self._shut_down()
        except BaseException as error:  # noqa: BLE001 - thread boundary: raised by wait()
            self._error = self._error or as_error(error)
        finally:
            self.report.wall_s = time.monotonic() - self._started_s
            self.report.handler_restarts = self._crew.restarts
            self._calls.end()

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        ready = self._link.wait(_TICK_S, self._wakeup.fd, self._children.fd)
        self._wakeup.clear()
        self._lives.attend()
        self._receive(_BURST)
        if self._children.fd in ready:
            self._receive(10 * _BURST)  # what the dead said last
            self._bury(time.monotonic())
        self._calls.answer()
        now_s = time.monotonic()
        self._give_work(now_s)  # before what can wait
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + _TICK_S
            self._tick(now_s)
            self._give_work(now_s)

    def _receive(self, most: int) -> None:
        for _ in range(most):
            received = self._link.receive()
            if received is None:
                return
            sender, parts = received
            if sender in self._refused:
                continue
            try:
                message = decode(parts[0])
            except ProtocolError as error:
                self._refuse(sender, error)
                continue
            self._handle(sender, message, parts[1] if len(parts) > 1 else None)

    def _handle(self, sender: bytes, message: Message, payload: Buffer | None) -> None:
        match message:
            case Admit() if self._phase is Phase.OPENING:
                self._early.append((sender, message))
            case Admit():
                if (state := self._inlets.find(sender)) is not None:
                    self._inlets.lent(
                        sender, (message.pixels is not None) + (message.output is not None)
                    )
                    self._traffic.admit(state, sender, message)
            case Result():
                if (member := self._crew.find(sender)) is not None:
                    member.returned(time.monotonic())
                    self._traffic.result(sender, message, payload)
            case Hello() | Ready() | NodeError() | Change():
                self._handle_handler(sender, message)
            case Announce() | Ended():
                self._handle_feeder(sender, message)
            case _:
                kind = type(message).__name__
                _log.warning("unexpected message sender=%s type=%s", sender.decode(), kind)

    def _handle_handler(self, sender: bytes, message: Hello | Ready | NodeError | Change) -> None:
        match message:
            case Hello():
                if message.role == "handler":
                    self._batches[sender] = message.batch
                self._post.put(sender, Welcome(host_id(), os.getpid()))
            case Ready():
                if self._crew.is_now_ready(sender, time.monotonic()):
                    for stage, parameters in self._lives.changes:
                        self._post.put(sender, Change(stage, parameters))
                    self._traffic.handler_joined(sender, batch=self._batches.pop(sender))
            case NodeError():
                if self._crew.is_ours(sender):
                    self._handler_failed(sender, message)
            case Change():
                self._lives.changes.withdraw(message.stage, message.parameters)

    def _handler_failed(self, sender: bytes, message: NodeError) -> None:
        """Do without a handler that cannot go on, if others may.

        Raises:
            SightlineError: It cannot begin; others could not either.
        """
        member = self._crew.find(sender)
        if member is None:  # it was closing its stages
            self._error = self._error or error_of(message)
        elif self._phase is Phase.OPENING:
            raise error_of(message)
        else:
            member.failure = message.message
            _log.warning("handler failed identity=%s error=%s", sender.decode(), message.message)
        self._dismiss([sender], time.monotonic() + _LEAVE_S)

    def _handle_feeder(self, sender: bytes, message: Announce | Ended) -> None:
        if isinstance(message, Announce):
            try:
                self._lives.announced(sender, message)
            except ProtocolError as error:
                self._refuse(sender, error)
            except Exception as error:  # noqa: BLE001 - logged; one stream ends for it, no more
                _log.exception("announcement failed sender=%s", sender.decode())
                self._refuse(sender, error_of(told_of(error)))
        elif (state := self._inlets.ended(sender, message, time.monotonic())) is not None:
            self._lives.check_end(state)

    def _refuse(self, sender: bytes, error: Exception) -> None:
        """Take nothing more from a peer that talks nonsense; end it, and a stream with it.

        Raises:
            Exception: It is that of a handler; others would do the same.
        """
        _log.warning("messages refused sender=%s reason=%s", sender, error)
        self._refused.add(sender)
        if self._crew.is_ours(sender):
            raise error
        if self._lives.refuse(sender, error):
            self._dismiss([sender], time.monotonic() + _LEAVE_S)

    def _give_work(self, now_s: float) -> None:
        """Give out what can be given out, and send everything that is to be sent."""
        if self._phase in (Phase.RUNNING, Phase.FINISHING):
            for identity, work, payload in self._traffic.assign():
                if (member := self._crew.find(identity)) is not None:
                    member.gave(now_s)
                self._post.put(identity, work, payload)
        self._post.send()

    def _settled(self, state: StreamState, record: FrameRecord) -> None:
        """Enter a frame's outcome and let its slots be used again."""
        report = state.report
        if report is not None:
            report.settle(record)
            report.admitted = state.admitted
            limit = self._options.max_failures
            if record.failure is not None and limit is not None and report.failures.total() > limit:
                self._error = self._error or stage_error(record, record.failure)
                self._begin_stop()
        record.frame = None  # it holds the image
        if isinstance(record.borrowed, Borrowed) and record.borrowed.in_use():
            record.kept = True  # by a stage in order, though a later step dropped or failed it
        record.borrowed = None
        if record.slots:
            self._release(state, record)
        if state.lane is not None and state.lane.error is not None and state.end is None:
            self._lives.cut(state, "sinks failed")
        if state.end is not None:
            self._lives.check_end(state)

    def _release(self, state: StreamState, record: FrameRecord) -> None:
        """Let the slots of a frame be used again.

        A source that is never to wait is told at once; others when half of the window is free, so
        that they are woken seldom, or when the next tick comes.
        """
        self._inlets.gave_back(record.feeder, len(record.slots))
        waiting = self._post.release(record)
        never_waits = state.policy.mode is not Mode.EVERY_FRAME
        if never_waits or waiting >= state.window * len(record.slots) // 2:
            self._post.send_release(record.feeder)

    def _tick(self, now_s: float) -> None:
        """Do what depends on time alone, or on what nobody wakes this thread for."""
        if self._options.stop is not None and self._options.stop.is_set():
            self._begin_stop()
        self.report.wall_s = now_s - self._started_s
        self.report.note_rates(now_s)
        self.report.handlers = self._crew.ready
        self.report.handler_restarts = self._crew.restarts
        if self._phase in (Phase.OPENING, Phase.RUNNING):
            self._crew.start_due(self._address, now_s)
            self._crew.kill_overdue(now_s)
            for state in self._inlets.reopen_due(now_s):
                if state.report is not None:
                    self._traffic.new_epoch(state)
        if self._phase is Phase.OPENING:
            self._try_begin(now_s)
        for feeder in self._post.waiting_releases:
            self._post.send_release(feeder)
        self._dismiss(self._inlets.take_retired(), now_s + _RETIRE_S)
        self._children.kill_late(now_s)

    # From opening to the end

    def _try_begin(self, now_s: float) -> None:
        """Begin once every source is open, and then the sinks, and a handler is there.

        A source that takes long is waited for only while there is no other.

        Raises:
            SightlineError: A source or sink cannot be opened.
        """
        there = self._inlets.that_can_begin(is_late=now_s > self._patience_ends_s)
        if there is None or (self._crew.size and not self._crew.ready):
            return
        if not self._lives.have_opened(there):
            return
        self._phase = Phase.RUNNING
        self._lives.has_begun = True
        self._started_s = now_s
        early, self._early = self._early, []
        for sender, message in early:
            self._handle(sender, message, None)
        for state in list(self._inlets.streams.values()):
            self._lives.check_end(state)

    def _change(self, change: Change) -> None:
        self._lives.change(change.stage, change.parameters)
        for identity in self._crew.identities:
            self._post.put(identity, change)

    def _bury(self, now_s: float) -> None:
        for identity, status in self._children.take_dead().items():
            if (member := self._crew.bury(identity, now_s)) is not None:
                _log.warning("handler died identity=%s status=%s", identity.decode(), status)
                self._traffic.handler_left(identity, self._crew.reason_of(member, status))
                self._crew.start_due(self._address, now_s)
            elif (state := self._inlets.died(identity, status, now_s)) is not None:
                self._lives.check_end(state)
            elif status and self._crew.is_ours(identity) and not self.report.stopped:
                self._error = self._error or GraphError(
                    f"a handler process died while it closed its stages (exit status {status})"
                )

    def _snapshot(self) -> dict[str, Any]:
        return {
            **self.report.as_dict(latest_failed=_LATEST_FAILED),
            "phase": self._phase.name.lower(),
            "over": self._calls.is_over,
            **self._lives.snapshot(),
            "processes": {"hub": os.getpid(), **self._children.pids},
        }

    # The end

    def _is_over(self) -> bool:
        """Go on to the next phase if it is time; tell whether there is none."""
        now_s = time.monotonic()
        is_time = now_s >= self._phase_ends_s
        match self._phase:
            case Phase.RUNNING if self._lives.are_over and not self._options.stay:
                self._enter(Phase.PARTING, now_s + self._options.deadline_s)
                closing = self._crew.dismiss()
                others = [who for who in self._children.identities if who not in closing]
                self._dismiss(closing)
                self._dismiss(others, now_s + _RETIRE_S)
            case Phase.FINISHING if is_time or not any(self._lives.under_way.values()):
                self._enter(Phase.CLOSING, now_s + _CLOSE_S)
                self._lives.close_all(discard=self._error is not None)
                self._dismiss(self._crew.dismiss())
            case Phase.CLOSING:
                return is_time or self._lives.are_over
            case Phase.PARTING:
                if is_time and not self.report.stopped:
                    self._error = self._error or GraphError(
                        "closing the stages of a handler took longer than "
                        f"{self._options.deadline_s:g} s; what they wrote may be incomplete"
                    )
                return is_time or not self._children.identities
        return False

    def _enter(self, phase: Phase, ends_s: float) -> None:
        self._phase, self._phase_ends_s = phase, ends_s

    def _begin_stop(self) -> None:
        now_s = time.monotonic()
        if self._phase is Phase.PARTING:
            self.report.stopped = True
            self._phase_ends_s = min(self._phase_ends_s, now_s + _LEAVE_S)
        elif self._phase in (Phase.OPENING, Phase.RUNNING):
            self.report.stopped = True
            self._enter(Phase.FINISHING, now_s + _FINISH_S)
            self._lives.cut_all("stopped")

    def _dismiss(self, identities: Sequence[bytes], until_s: float | None = None) -> None:
        """Tell processes to leave; those that have not by `until_s` are killed then."""
        for identity in identities:
            self._post.put(identity, Stop())
            if until_s is not None:
                self._children.expect_end(identity, until_s)
        self._post.send()

    def _shut_down(self) -> None:
        """End all processes and close what was opened, whatever state it is in."""
        lanes = self._lives.close_all(discard=self._error is not None)
        self._lives.give_up_all()
        self._dismiss(self._children.identities)
        self._children.end_all(timeout_s=_LEAVE_S)
        for lane in lanes:
            if not lane.join(_LEAVE_S) and lane.is_open:
                self._error = self._error or GraphError(
                    f"{lane.doing} of stream {lane.stream.name!r} takes too long; its outputs may "
                    "be incomplete"
                )
        self._link.close()
        self._wakeup.close()
