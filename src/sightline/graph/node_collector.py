"""A collector node: takes results from handlers, puts them in order, and feeds the sinks.

    handler ──Announce, Result, Ended──► streams: order, lane (ordered stages, sinks)
       ◄────────────────Done─────────────┘

This module sends and receives; what becomes of frames is in `node_stream` and `lane`.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.errors import GraphError, LinkError, ProtocolError
from sightline.graph.inlets import add_losses
from sightline.graph.lane import LaneOptions
from sightline.graph.node_stream import Arrival, CollectedStream
from sightline.graph.telling import error_of
from sightline.transport.frames import info_of, unpack_losses
from sightline.transport.host import host_id
from sightline.transport.messages import (
    Announce,
    Done,
    Ended,
    Hello,
    Message,
    NodeError,
    Result,
    Welcome,
    decode,
    encode,
)
from sightline.transport.wakeup import Wakeup
from sightline.transport.zmq_link import listen

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from sightline.graph.plan import Step
    from sightline.graph.record import FrameRecord
    from sightline.graph.report import StreamReport
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo
    from sightline.transport.link import Buffer

__all__ = ["CollectorNode", "CollectorNodeOptions"]

_log = logging.getLogger(__name__)

_BURST = 64
_TICK_S = 0.1
_ECHO_S = 5.0
"""So long results of a source may come after it was started anew."""
_LINGER_S = 1.2
"""How long handlers may take to ask whether the last stream is over."""
_CLOSE_S = 1.2
"""How long all sinks together may take to be closed when the node is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorNodeOptions:
    """How a collector node works.

    Attributes:
        bind: Where handlers connect to, such as tcp://*:5558.
        make_sinks: Makes the sinks of a stream.
        descriptions: What each stage of the pipeline says of itself, for reports.
        until_end: Leave when all streams that came are over.
        host: What to take for the id of this machine.
    """

    bind: str
    make_sinks: Callable[[StreamInfo], Sequence[Sink]]
    descriptions: list[dict[str, Any]] = field(default_factory=list)
    until_end: bool = False
    host: str = field(default_factory=host_id)


class CollectorNode:
    """Collects the streams of any number of sources; `run()` it once, in the main thread.

    Args:
        steps: The plan of the pipeline; its last step is done here, and nothing else.
        options: How the node works.
        tell: Takes lines for people.

    Attributes:
        reports: The account of every stream that came.
        address: Where it listens.

    Raises:
        LinkError: One cannot listen at the address.
    """

    def __init__(
        self, steps: Sequence[Step], options: CollectorNodeOptions, *, tell: Callable[[str], None]
    ) -> None:
        self.reports: list[StreamReport] = []
        self._steps = steps
        self._options = options
        self._tell = tell
        self._streams: dict[str, CollectedStream] = {}
        self._closing: list[CollectedStream] = []
        self._over: dict[str, int] = {}
        self._left_out: dict[str, int] = {}
        self._known: set[bytes] = set()
        self._refused: set[bytes] = set()
        self._unheard_of: set[str] = set()
        self._dones: defaultdict[bytes, Done] = defaultdict(lambda: Done([], [], []))
        self._came_back: deque[tuple[CollectedStream, Arrival]] = deque()
        self._closed: deque[tuple[CollectedStream, Exception | None]] = deque()
        self._over_s = 0.0
        self._wakeup = Wakeup()
        self._link = listen(options.bind)
        (self.address,) = self._link.addresses

    def run(self, stop: threading.Event) -> None:
        """Work until stopped or, if so wished, until all streams that came are over.

        A stream whose sinks cannot be made, opened or written fails alone: its frames are dropped,
        and its report says why.

        Raises:
            GraphError: Sinks take too long to close.
        """
        self._tell(f"collecting at {self.address}")
        try:
            while not stop.is_set() and not self._is_over():
                self._turn()
        finally:
            self._close()

    def _is_over(self) -> bool:
        if not self._options.until_end or not self.reports or self._streams or self._closing:
            return False
        return time.monotonic() > self._over_s + _LINGER_S

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        self._link.wait(_TICK_S, self._wakeup.fd)
        self._wakeup.clear()
        self._settle_all()
        for _ in range(_BURST):
            received = self._link.receive()
            if received is None:
                break
            if received.sender not in self._refused:
                self._take(received.sender, received.parts)
        for stream in list(self._streams.values()):
            self._look_after(stream)
        while self._closed:
            self._lane_closed(*self._closed.popleft())
        self._send_dones()

    # Messages

    def _take(self, sender: bytes, parts: list[bytes | memoryview]) -> None:
        try:
            message = decode(parts[0])
            if not isinstance(message, Hello) and sender not in self._known:
                self._greet(sender)
            match message:
                case Hello():
                    self._greet(sender)
                case Announce():
                    self._announced(sender, message)
                case Result():
                    payload = parts[1] if len(parts) > 1 else None
                    _check(message, payload)
                    self._arrived(sender, message, payload)
                case Ended():
                    self._ended(sender, message)
        except ProtocolError as error:
            self._tell(f"messages of {sender!r} are ignored: {error}")
            self._refused.add(sender)
            self._send(sender, NodeError(kind="ProtocolError", message=str(error)))

    def _greet(self, sender: bytes) -> None:
        self._known.add(sender)
        epochs = self._over | {name: stream.epoch for name, stream in self._streams.items()}
        welcome = Welcome(self._options.host, os.getpid(), "collector", list(epochs.items()))
        self._send(sender, welcome)

    def _send(self, to: bytes, message: Message) -> None:
        """Send to a handler; what one that is gone should know, others will ask."""
        with suppress(LinkError):
            self._link.send([encode(message)], to=to)

    def _announced(self, sender: bytes, message: Announce) -> None:
        name = message.stream.name
        stream = self._streams.get(name)
        latest = self._over.get(name, -1) if stream is None else stream.epoch
        if message.epoch < latest:
            self._refuse(sender, message, latest)
        elif message.epoch == latest:
            return
        elif stream is None:
            self._open(message)
        else:
            self._tell(f"{name}: its source was started anew")
            self._go_on(stream, stream.restart(message))

    def _refuse(self, sender: bytes, message: Announce, latest: int) -> None:
        """Take nothing from a source that began before the last one of its name; say so."""
        name, epoch = message.stream.name, message.epoch
        self._dones[sender].refused.append((name, epoch, latest))
        if self._left_out.get(name) != epoch:
            self._left_out[name] = epoch
            self._tell(
                f"{name}: a source is left out that began {(latest - epoch) / 1000:.1f} s before "
                "the last one of that name, by the clock of its machine"
            )

    def _open(self, message: Announce) -> None:
        info = info_of(message.stream)
        stream = CollectedStream(
            info, message, host=self._options.host, descriptions=self._options.descriptions
        )

        def came_back(record: FrameRecord) -> None:
            assert isinstance(record, Arrival)  # nothing else is put into the lane
            self._came_back.append((stream, record))

        def closed(error: Exception | None) -> None:
            self._closed.append((stream, error))

        options = LaneOptions(
            steps=self._steps,
            staleness_s=None,  # who wants that says so at the source
            on_done=came_back,
            on_open=lambda: None,
            on_end=closed,
            wake=self._wakeup.set,
        )
        self._streams[info.name] = stream
        self.reports.append(stream.report)
        self._tell(f"{info.name}: {info.width}×{info.height}")
        try:
            stream.open_lane(self._options.make_sinks(info), options)
        except Exception as error:  # noqa: BLE001 - foreign code; other streams go on
            self._fail(stream, error)

    def _fail(self, stream: CollectedStream, error: Exception) -> None:
        """Say once that the sinks of a stream do not work; its frames are dropped from now on."""
        if stream.sink_error is None:
            stream.sink_error = error
            stream.report.error = stream.report.error or error
            name = stream.report.run.stream.name
            self._tell(f"Error: {name}: {error}; its frames are dropped")

    def _arrived(self, sender: bytes, message: Result, payload: Buffer | None) -> None:
        key = message.frame.key
        stream = self._streams.get(key[0])
        if stream is not None and key[1] <= stream.epoch:
            released = stream.arrived(sender, message, payload)
            if released is None:
                self._dones[sender].keys.append(key)
                self._suspect(stream, key)
            else:
                self._go_on(stream, released)
        elif key[1] <= self._over.get(key[0], -1):
            self._dones[sender].keys.append(key)
        elif key[0] not in self._unheard_of:
            self._unheard_of.add(key[0])
            self._tell(
                f"{key[0]}: results come of a stream that was not announced here; if this "
                "collector was started anew, start the source anew, too"
            )

    def _suspect(self, stream: CollectedStream, key: tuple[str, int, int]) -> None:
        """Say that two sources seem to have one name, if the earlier one does not cease."""
        is_strange = key[1] < stream.epoch and time.monotonic() > stream.began_s + _ECHO_S
        if is_strange and key[0] not in self._unheard_of:
            self._unheard_of.add(key[0])
            self._tell(
                f"{key[0]}: frames come of a source that another one took the place of, and are "
                "left out; if both are meant to run, give one another name with --name"
            )

    def _ended(self, sender: bytes, message: Ended) -> None:
        stream = self._streams.get(message.stream)
        if stream is None or message.epoch != stream.epoch:
            self._ended_before(sender, message)
            return
        if stream.end is None:
            add_losses(stream.report.run.losses, unpack_losses(message.losses))
            if message.error is not None:
                stream.report.error = error_of(message.error)
        stream.ended(sender, message)

    def _ended_before(self, sender: bytes, message: Ended) -> None:
        """Answer that a stream is over, now or when its sinks are closed."""
        key = (message.stream, message.epoch, message.count)
        for stream in self._closing:
            if stream.end == key:
                stream.listeners.add(sender)
                return
        if message.epoch <= self._over.get(message.stream, -1):
            self._dones[sender].keys.append(key)

    def _send_dones(self) -> None:
        for sender, done in self._dones.items():
            self._send(sender, done)
        self._dones.clear()

    # Frames

    def _go_on(self, stream: CollectedStream, released: Sequence[Arrival]) -> None:
        """Put frames whose turn it is into the lane, if there is anything to be done with them."""
        for arrival in released:
            if stream.lane is None and not arrival.is_over:
                arrival.dropped = ("sinks", "not made")
            if stream.lane is None or arrival.is_over:
                self._settle(stream, arrival)
            else:
                arrival.step = len(self._steps) - 1
                stream.lane.put(arrival)

    def _settle_all(self) -> None:
        while self._came_back:
            self._settle(*self._came_back.popleft())

    def _settle(self, stream: CollectedStream, arrival: Arrival) -> None:
        """Enter the outcome of a frame and tell who brought it."""
        if arrival.failure is not None and not stream.report.failures:
            told = arrival.failure
            self._tell(
                f"{arrival.about.stream}: stage {told.stage!r} failed on frame {told.seq}: "
                f"{told.error} (later failures are counted)"
            )
        stream.settle(arrival)
        arrival.frame = arrival.borrowed = None
        for bringer in arrival.bringers:
            done = self._dones[bringer]
            done.keys.append(arrival.key)
            if arrival.kept:
                done.kept.append(arrival.key)

    def _look_after(self, stream: CollectedStream) -> None:
        """End a stream that is complete; say how it goes."""
        lane = stream.lane
        if lane is not None and lane.error is not None:
            self._fail(stream, lane.error)
        name = stream.report.run.stream.name
        is_last = stream.is_complete
        line = stream.meter.line(is_last=is_last)
        if line is not None:
            self._tell(f"{name}: {line}")
        if is_last:
            del self._streams[name]
            self._over[name] = stream.epoch
            self._closing.append(stream)
            if lane is None:
                self._closed.append((stream, None))
            else:
                lane.end(discard=stream.report.error is not None)

    def _lane_closed(self, stream: CollectedStream, error: Exception | None) -> None:
        if error is not None:
            self._fail(stream, error)
        self._closing.remove(stream)
        self._over_s = time.monotonic()
        report = stream.report
        report.ended = report.error is None
        run = report.run
        assert stream.end is not None
        for listener in stream.listeners:
            self._dones[listener].keys.append(stream.end)
        dropped, failed = sum(run.dropped.values()), report.failures.total()
        self._tell(
            f"{run.stream.name}: over; {run.frames} frames, {dropped} dropped, {failed} failed"
        )

    def _close(self) -> None:
        """Complete the outputs, whatever is under way."""
        until_s = time.monotonic() + _CLOSE_S
        left = list(self._streams.values())
        for stream in left:
            if stream.lane is not None:
                stream.lane.cut()
                stream.lane.end(discard=False)
        late = [
            stream.report.run.stream.name
            for stream in (*left, *self._closing)
            if stream.lane is not None and not stream.lane.join(until_s - time.monotonic())
        ]
        self._settle_all()
        for stream in left:
            stream.give_up()
        self._link.close()
        self._wakeup.close()
        if late:
            raise GraphError(
                f"the sinks of {', '.join(late)} take too long to close; outputs may be incomplete"
            )


def _check(result: Result, payload: Buffer | None) -> None:
    """Check that the pixels of a result are there.

    Raises:
        ProtocolError: They are not.
    """
    if result.dropped_by or result.failure is not None:
        return
    pixels = result.pixels
    if pixels is None:
        raise ProtocolError("a result came without an image")
    if pixels.slot is None:
        expected, came = math.prod(pixels.shape), 0 if payload is None else len(payload)
        if expected != came:
            raise ProtocolError(f"{came} bytes of pixels came, but {expected} were announced")
