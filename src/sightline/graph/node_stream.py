"""One stream at a collector node: its order, its lane, its epochs, and whom to tell of the end.

Numbers of a source that was started anew go on where those of its last epoch ended: `offset` is
added to them. It knows no sockets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from sightline.graph.lane import Lane
from sightline.graph.modes import StreamPolicy
from sightline.graph.node_meter import Meter
from sightline.graph.record import FrameRecord, Moments
from sightline.graph.report import StreamReport
from sightline.graph.resequence import Resequencer
from sightline.pipeline.report import FailedFrame, RunReport
from sightline.transport.messages import FrameId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sightline.graph.lane import LaneOptions
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo
    from sightline.transport.link import Buffer
    from sightline.transport.messages import Announce, Ended, Result

__all__ = ["Arrival", "CollectedStream"]

_LANE = "lane"


@dataclass(slots=True, eq=False, kw_only=True)
class Arrival(FrameRecord):
    """A frame at the collector.

    Attributes:
        key: What its source calls it.
        bringers: The handlers that brought a result of it.
    """

    key: tuple[str, int, int]
    bringers: list[bytes] = field(default_factory=list)


class CollectedStream:
    """One stream, through all of its epochs.

    Args:
        info: As announced.
        announce: The announcement of its first epoch.
        host: This machine; ages are only known of frames from here.
        descriptions: What each stage says of itself, for the report.

    Attributes:
        report: The account of the stream.
        lane: Its ordered part, once opened; None: its sinks could not be made.
        sink_error: Why its sinks do not work; None: they do.
        meter: Its rate and delays.
        epoch: The one that is awaited.
        began_s: When that began, on the monotonic clock.
        end: What to answer when it is over; None: it is not over yet.
        is_closing: Its lane was told to end.
        listeners: Handlers that said that it has ended.
    """

    def __init__(
        self,
        info: StreamInfo,
        announce: Announce,
        *,
        host: str,
        descriptions: list[dict[str, Any]],
    ) -> None:
        run = RunReport(stream=info, stages=descriptions)
        self.report = StreamReport(run=run, policy=StreamPolicy())
        self.lane: Lane | None = None
        self.sink_error: Exception | None = None
        self.epoch = announce.epoch
        self.began_s = time.monotonic()
        self.end: tuple[str, int, int] | None = None
        self.is_closing = False
        self.listeners: set[bytes] = set()
        self.is_near = announce.host == host
        self.meter = Meter("age of frame" if self.is_near else "since received")
        self._name = info.name
        self._host = host
        self._offset = 0
        self._order: Resequencer[Arrival] = Resequencer()
        self._order.begin(_LANE, epoch=announce.epoch, first_seq=announce.first_seq)
        self._under_way: dict[tuple[str, int, int], Arrival] = {}
        self._highest = -1

    def open_lane(self, sinks: Sequence[Sink], options: LaneOptions) -> None:
        """Start the thread that opens the sinks and feeds them."""
        self.lane = Lane(self.report.run.stream, sinks, options)

    def restart(self, announce: Announce) -> list[Arrival]:
        """Begin a new epoch: the source was started anew.

        Returns:
            Frames whose turn it is, since those before them are lost.
        """
        released = []
        while (seq := self._order.next_seq(_LANE)) <= self._highest:
            key = (self._name, self.epoch, seq - self._offset)
            about = FrameId(self._name, self.epoch, seq, 0, (1, 1), 0)
            lost = Arrival(about, b"", None, Moments(0), key=key, dropped=("source", "lost"))
            released += self._take(lost)
        self._offset = seq - announce.first_seq
        self.epoch = announce.epoch
        self.began_s = time.monotonic()
        self.end = None
        self.listeners.clear()
        self.is_near = announce.host == self._host
        self._order.begin(_LANE, epoch=self.epoch, first_seq=seq)
        self.report.restarts += 1
        return released

    def arrived(
        self, sender: bytes, result: Result, payload: Buffer | None
    ) -> list[Arrival] | None:
        """Take a result.

        Returns:
            Frames whose turn it is now; None: it came before, and the collector is finished
            with it.
        """
        key = result.frame.key
        before = self._under_way.get(key)
        if before is not None:
            before.bringers.append(sender)
            return []
        if result.frame.epoch != self.epoch:
            return None
        arrival = self._arrival(result, payload)
        arrival.bringers.append(sender)
        self._highest = max(self._highest, arrival.about.seq)
        released = self._order.accept(_LANE, self.epoch, arrival.about.seq, arrival)
        if released is None:
            return None
        self._under_way[key] = arrival
        return released

    def _take(self, arrival: Arrival) -> list[Arrival]:
        self._under_way[arrival.key] = arrival
        return self._order.accept(_LANE, self.epoch, arrival.about.seq, arrival) or []

    def settle(self, arrival: Arrival) -> None:
        """Enter the outcome of a frame."""
        del self._under_way[arrival.key]
        self.report.settle(arrival)
        self.report.admitted += 1
        if not arrival.is_over:
            moments = arrival.moments
            self.meter.add((moments.done_ns - moments.captured_ns) * 1e-9)

    def ended(self, sender: bytes, message: Ended) -> None:
        """Note how many numbers there are."""
        self.listeners.add(sender)
        self.end = (self._name, message.epoch, message.count)
        self._order.end(_LANE, count=message.count + self._offset)

    @property
    def is_complete(self) -> bool:
        """Whether it has ended and every frame has its outcome."""
        return self.end is not None and self._order.is_complete(_LANE) and not self._under_way

    @property
    def duplicates(self) -> int:
        """Results that came when the collector had one."""
        return self._order.duplicates

    def give_up(self) -> None:
        """Enter the frames that are under way as given up."""
        self.report.give_up(len(self._under_way))
        self.report.run.stopped = True

    def _arrival(self, result: Result, payload: Buffer | None) -> Arrival:
        frame, now_ns = result.frame, time.monotonic_ns()
        captured_ns = frame.captured_ns if self.is_near else now_ns
        seq = frame.seq + self._offset
        arrival = Arrival(
            msgspec.structs.replace(frame, seq=seq, captured_ns=captured_ns),
            b"",
            result.pixels,
            Moments(captured_ns, admitted_ns=now_ns),
            key=frame.key,
            payload=payload,
            objects=result.objects,
            data=result.data or b"",
            times=list(result.times),
        )
        if result.dropped_by:
            stage, _, reason = result.dropped_by.partition(": ")
            arrival.dropped = (stage, reason)
        if result.failure is not None:
            told = result.failure
            arrival.failure = FailedFrame(
                seq=seq, stage=told.stage, error=told.error, traceback=told.traceback
            )
        return arrival
