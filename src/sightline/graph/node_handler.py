"""A handler node: takes work from sources, anywhere, and sends results to a collector, anywhere.

The main thread does what concerns others: messages, heartbeats, passing on what the collector is
finished with. A worker thread does the work.

    source ──Work──► main thread ──► worker thread ──► main thread ──Result──► collector
      ▲  ◄───light Result, Done───────────┤ ◄──────────────Done────────────────────┘
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from sightline.errors import GraphError, LinkError, PipelineError, ProtocolError
from sightline.graph.node_meter import Meter
from sightline.graph.node_worker import Piece, Worker
from sightline.graph.plan import StepKind
from sightline.graph.telling import error_of
from sightline.transport.host import host_id
from sightline.transport.messages import (
    Announce,
    Beat,
    Done,
    Ended,
    Hello,
    Message,
    NodeError,
    Pixels,
    Ready,
    Result,
    Stop,
    Welcome,
    Work,
    decode,
    encode,
)
from sightline.transport.slot_reader import SlotReader
from sightline.transport.wakeup import Wakeup
from sightline.transport.zmq_link import connect, wait_any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from sightline.graph.plan import Step
    from sightline.graph.workbench import Finished
    from sightline.transport.link import Buffer, Received
    from sightline.transport.zmq_link import Connection

__all__ = ["HandlerNode", "HandlerNodeOptions"]

_BEAT_S = 0.2
_MOST_BEATS = 50
"""So many heartbeats may be unanswered; then the source is looked for anew."""
_ANEW_S = 5.0
"""So often, as the connection may lead nowhere without anybody having ended it."""
_PATIENCE_S = 1.0
_FINISH_S = 0.6
"""How long the work at hand may take when the node is stopped."""
_LEAVE_S = 1.0
"""When the node leaves after it was stopped, whether or not the collector has what it did."""
_LINGER_S = 0.2
"""How long what was said last may take to be sent."""
_CLOSE_S = 0.6
"""How long the worker may take after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerNodeOptions:
    """How a handler node works.

    Attributes:
        sources: Where sources listen, such as tcp://cam-1:5557.
        collector: Where the collector listens.
        until_end: Leave when the streams of all sources are over.
        host: What to take for the id of this machine.
    """

    sources: Sequence[str]
    collector: str
    until_end: bool = False
    host: str = field(default_factory=host_id)


@dataclass(slots=True, eq=False)
class _Peer:
    """The source or collector at the other end of a link.

    Attributes:
        address: Where it listens.
        role: What it ought to be.
        link: To it.
        host: Its machine; None: it has not answered yet.
        is_asked: It owes an answer to `Hello`.
        is_ready: It was told `Ready`.
        beats: Heartbeats since it was last heard from.
        anew_s: When to connect to it anew if it is silent, on the monotonic clock.
        stream: Name and epoch of what it delivers.
        end: What the collector says when that is over.
        is_over: The collector has said so.
    """

    address: str
    role: str
    link: Connection
    host: str | None = None
    is_asked: bool = False
    is_ready: bool = False
    beats: int = 0
    anew_s: float = 0.0
    stream: tuple[str, int] | None = None
    end: tuple[str, int, int] | None = None
    is_over: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it has been silent for long."""
        return self.beats >= _MOST_BEATS

    def send(self, message: Message) -> None:
        self.link.send([encode(message)])

    def close(self) -> None:
        self.link.close()


class HandlerNode:
    """Works for sources; `run()` it once, in the main thread.

    Args:
        steps: The plan of the pipeline; its `FRAMES` step is done here, and nothing else.
        options: Where the others are.
        tell: Takes lines for people.

    Raises:
        PipelineError: The pipeline has nothing for handlers.
        LinkError: An address makes no sense.
    """

    def __init__(
        self, steps: Sequence[Step], options: HandlerNodeOptions, *, tell: Callable[[str], None]
    ) -> None:
        if steps[0].kind is not StepKind.FRAMES:
            raise PipelineError(
                "the pipeline begins with a stage that needs all frames in order, so that there is "
                "nothing for handlers to do; run it with sightline run"
            )
        self._options = options
        self._tell = tell
        self._wakeup = Wakeup()
        self._worker = Worker(steps, self._wakeup)
        self._reader = SlotReader()
        self._meter = Meter("processing", "waiting")
        self._unanswered: set[tuple[str, int, int]] = set()
        self._epochs: list[tuple[str, int]] = []
        self._epochs_due_s = 0.0
        self._next_beat_s = 0.0
        self._started_s = time.monotonic()
        self._is_patient = True
        self._is_leaving = False
        self._identity = f"handler-{secrets.token_hex(8)}".encode()
        with ExitStack() as stack:
            self._sources = []
            for address in dict.fromkeys(options.sources):
                source = _Peer(address, "source", connect(address, identity=self._identity))
                self._sources.append(stack.enter_context(closing(source)))
            link = connect(options.collector, identity=self._identity)
            self._collector = _Peer(options.collector, "collector", link)
            stack.callback(self._collector.close)
            stack.callback(self._wakeup.close)
            stack.callback(self._reader.close)
            self._links = stack.pop_all()

    def run(self, stop: threading.Event) -> None:
        """Work until stopped or, if so wished, until all streams are over.

        Raises:
            SightlineError: A stage cannot be opened, or a node at an address is of another kind
                or speaks another version.
        """
        with self._links:
            self._worker.start()
            try:
                for peer in (*self._sources, self._collector):
                    self._introduce(peer)
                while not stop.is_set() and not self._is_over():
                    self._turn()
                self._leave()
            finally:
                self._worker.stop()
                self._worker.join(_CLOSE_S)

    def _is_over(self) -> bool:
        return self._options.until_end and all(source.is_over for source in self._sources)

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        links = [peer.link for peer in (*self._sources, self._collector)]
        wait_any(links, max(0.0, self._next_beat_s - time.monotonic()), self._wakeup.fd)
        self._wakeup.clear()
        self._deliver()
        if self._worker.error is not None:
            raise self._worker.error
        for source in self._sources:
            while (received := source.link.receive()) is not None:
                self._from_source(source, received)
        while (received := self._collector.link.receive()) is not None:
            self._from_collector(received)
        self._say_ready()
        now_s = time.monotonic()
        if now_s >= self._next_beat_s:
            self._next_beat_s = now_s + _BEAT_S
            self._tick(now_s)

    def _tick(self, now_s: float) -> None:
        for source in self._sources:
            if self._is_leaving:
                break
            if source.is_lost:
                self._look_for(source, now_s)
            elif source.host is not None:
                source.beats += 1
                source.send(Beat())
        if self._is_patient and now_s > self._started_s + _PATIENCE_S:
            self._is_patient = False
            for peer in (self._collector, *self._sources):
                if peer.host is None:
                    self._tell(f"waiting for the {peer.role} at {peer.address}")
        line = self._meter.line()
        if line is not None:
            self._tell(line)

    def _look_for(self, source: _Peer, now_s: float) -> None:
        """Connect anew to a source that is silent, every few seconds, as if for the first time."""
        if now_s < source.anew_s:
            return
        if source.host is not None:
            self._tell(f"the source at {source.address} is silent; looking for it again")
        source.link.close()
        source.link = connect(source.address, identity=self._identity)
        source.host, source.is_ready = None, False
        source.anew_s = now_s + _ANEW_S
        self._introduce(source)

    # Messages

    def _introduce(self, peer: _Peer) -> None:
        peer.is_asked = True
        worker = self._worker
        peer.send(
            Hello(
                role="handler",
                host=self._options.host,
                pid=os.getpid(),
                changes_image=worker.changes_image,
                batch=worker.batch_size,
            )
        )

    def _welcomed(self, peer: _Peer, message: Welcome) -> None:
        """Take note of who answers; one that was started anew is told again who this is.

        Raises:
            LinkError: It is no such node as was looked for.
        """
        if message.role != peer.role:
            found = message.role or "node of another kind"
            raise LinkError(f"at {peer.address} there is a {found}, not a {peer.role}")
        if not peer.is_asked:
            if self._is_leaving:
                return
            self._tell(f"the {peer.role} at {peer.address} does not know this handler any more")
            peer.is_ready = False
            self._introduce(peer)
            return
        peer.is_asked = False
        if peer.host is None:
            self._tell(f"connected to the {peer.role} at {peer.address}")
        peer.host = message.host
        if peer is self._collector:
            self._epochs = message.epochs
        else:
            self._ask_for_epochs()

    def _ask_for_epochs(self) -> None:
        """Ask the collector anew which epochs it has had, for a source that may be about to begin.

        What it said before may be of long ago, and other handlers have brought it streams since.
        """
        self._epochs_due_s = time.monotonic() + _PATIENCE_S
        if self._collector.host is not None and not self._collector.is_asked:
            self._introduce(self._collector)

    def _say_ready(self) -> None:
        if self._is_leaving or not self._worker.is_open or self._collector.host is None:
            return
        if self._collector.is_asked and time.monotonic() < self._epochs_due_s:
            return
        for source in self._sources:
            if not source.is_ready and source.host is not None and not source.is_asked:
                source.is_ready = True
                source.send(Ready(self._epochs))

    def _from_source(self, source: _Peer, received: Received) -> None:
        source.beats = 0
        parts = received.parts
        message = _read(source, received)
        match message:
            case Welcome():
                self._welcomed(source, message)
            case Work():
                payload = parts[1] if len(parts) > 1 else None
                self._worker.put(Piece(source, message, payload, time.monotonic_ns()))
            case Announce():
                self._announced(source, message, parts)
            case Ended():
                source.end = (message.stream, message.epoch, message.count)
                self._collector.link.send(parts)
            case Result():
                self._collector.link.send(parts)
            case NodeError():
                raise error_of(message)

    def _announced(self, source: _Peer, message: Announce, parts: Sequence[Buffer]) -> None:
        """Pass the announcement of a stream on, unless there is one of that name."""
        name = message.stream.name
        for other in self._sources:
            is_there = not (other.is_over or other.is_lost)
            if other is source or other.stream is None or not is_there:
                continue
            if other.stream[0] == name:
                text = f"there is a stream {name!r} from {other.address} already; use --name"
                source.send(NodeError(kind="GraphError", message=text))
                return
        source.stream, source.end, source.is_over = (name, message.epoch), None, False
        self._collector.link.send(parts)

    def _from_collector(self, received: Received) -> None:
        message = _read(self._collector, received)
        match message:
            case Welcome():
                self._welcomed(self._collector, message)
            case Done():
                self._pass_on(message)
            case NodeError():
                raise error_of(message)

    def _pass_on(self, message: Done) -> None:
        """Tell sources with which of their frames the collector is finished."""
        self._unanswered.difference_update(message.keys)
        for source in self._sources:
            keys = [key for key in message.keys if key[:2] == source.stream]
            refused = [key for key in message.refused if key[:2] == source.stream]
            if keys or refused:
                kept = [key for key in message.kept if key[:2] == source.stream]
                source.send(Done(keys, kept, refused))
            source.is_over = source.is_over or source.end in keys

    def _deliver(self) -> None:
        """Send what the worker has done."""
        finished = self._worker.finished
        while finished:
            piece, done = finished.popleft()
            parts = self._parcel(piece, done)
            if parts is None:
                continue
            result = done.result
            self._unanswered.add(result.frame.key)
            self._collector.link.send(parts)
            started_ns, ended_ns = result.started_ns, result.ended_ns
            piece.origin.send(
                Result(
                    result.frame,
                    result.step,
                    result.part,
                    started_ns=started_ns,
                    ended_ns=ended_ns,
                    kept=result.kept,
                )
            )
            waiting_ns = max(0, started_ns - piece.arrived_ns)
            self._meter.add((ended_ns - started_ns) * 1e-9, waiting_ns * 1e-9)

    def _parcel(self, piece: Piece, done: Finished) -> list[Buffer] | None:
        """Write a result so that the collector needs nothing else; None: its pixels are gone.

        The collector gets a reference where it can read the slot, and pixels where it cannot.
        """
        result, work, source = done.result, piece.work, piece.origin
        if result.dropped_by or result.failure is not None:
            return [encode(result)]
        is_shared = source.host == self._collector.host
        pixels, payload = result.pixels, done.payload
        if pixels is None:
            pixels, payload = work.pixels, piece.payload
            if work.origin is not None and is_shared:
                pixels, payload = work.origin, None
        if pixels.slot is not None and not is_shared:
            try:
                payload = self._reader.borrow(pixels).image
            except GraphError:
                return None
            pixels = Pixels(pixels.shape)
        result = msgspec.structs.replace(result, pixels=pixels)
        return [encode(result)] if payload is None else [encode(result), payload]

    def _leave(self) -> None:
        """Finish the work at hand, and see it taken over if that does not take long."""
        started_s = time.monotonic()
        self._is_leaving = True
        for source in self._sources:
            source.send(Stop())
        self._worker.stop()
        while self._worker.is_alive and time.monotonic() < started_s + _FINISH_S:
            self._turn()
        self._deliver()
        while self._unanswered and time.monotonic() < started_s + _LEAVE_S:
            self._turn()
        until_s = time.monotonic() + _LINGER_S
        while time.monotonic() < until_s:
            self._turn()
        line = self._meter.line(is_last=True)
        if line is not None:
            self._tell(line)


def _read(peer: _Peer, received: Received) -> Message:
    """Read a message.

    Raises:
        ProtocolError: It is malformed, or of another version.
    """
    try:
        return decode(received.parts[0])
    except ProtocolError as error:
        raise ProtocolError(f"{peer.role} at {peer.address}: {error}") from error
