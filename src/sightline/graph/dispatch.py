"""Which handler gets which work: credit, turns between streams, overload, and second attempts.

A handler is given work only as far as it has credit, so that nothing waits behind a slow frame
while another handler is idle. Works whose frames have been begun go first; then the stream whose
last turn was longest ago; within a stream the oldest goes first. It knows no sockets, threads or
clocks: time is an argument.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from sightline.graph.modes import Mode
from sightline.graph.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sightline.graph.modes import StreamPolicy

__all__ = ["Dispatcher", "Drop", "Workable"]


class Workable(Protocol):
    """What the dispatcher asks of a piece of work.

    Attributes:
        attempts: How many handlers left while they worked on its frame; counted by the dispatcher.
            Works of one frame share the count.
    """

    attempts: int

    @property
    def key(self) -> Hashable:
        """Unlike that of any other work which is queued or given out."""

    @property
    def frame_key(self) -> Hashable:
        """Of its frame, which other works may be of, too."""

    @property
    def stream(self) -> str:
        """Name of its stream."""

    @property
    def captured_ns(self) -> int:
        """When its frame was captured, on the clock that `assign` is told."""

    @property
    def urgent(self) -> bool:
        """Its frame has been begun: it goes before all new ones, and is not dropped."""


W = TypeVar("W", bound=Workable)


class Drop(NamedTuple, Generic[W]):
    """A work that is not given out any more, and the reason, such as "stale"."""

    work: W
    reason: str


class _Queue(Generic[W]):
    """Works of one stream that wait, oldest first: the new ones, or the urgent ones."""

    __slots__ = (
        "is_closed",
        "is_in_line",
        "keeps_newest",
        "last_turn",
        "line",
        "staleness_ns",
        "works",
    )

    def __init__(self, line: deque[_Queue[W]], policy: StreamPolicy, *, urgent: bool) -> None:
        self.line = line  # the queues that take turns, by their last ones
        self.is_in_line = False
        self.last_turn = 0  # counted over all queues
        self.is_closed = False
        self.keeps_newest = policy.mode is Mode.FRESHEST and not urgent
        may_be_stale = policy.mode is Mode.AUTO and not urgent
        self.staleness_ns = round(policy.staleness_s * 1e9) if may_be_stale else None
        self.works: deque[_Entry[W]] = deque()

    def stand_in_line(self) -> None:
        """Wait for a turn, before those that had theirs later."""
        if not self.is_in_line:
            self.is_in_line = True
            insort(self.line, self, key=attrgetter("last_turn"))

    def take_turn(self, turn: int) -> None:
        """Go from the head of the line to its end."""
        self.last_turn = turn
        self.line.rotate(-1)

    def close(self) -> list[W]:
        self.is_closed = True
        works = [work for _, work, _ in self.works]
        self.works.clear()
        return works


class _Entry(NamedTuple, Generic[W]):
    ticket: int  # grows with every work submitted
    work: W
    queue: _Queue[W]


class _Stream(NamedTuple, Generic[W]):
    new: _Queue[W]
    urgent: _Queue[W]
    is_timely: bool


class Dispatcher(Generic[W]):
    """Queues of works by stream, and what each handler holds.

    A handler holds at most `capacity` works, so that the next one is there when it is done with
    one; twice as many if its mean service time is below 0.5 ms. As long as there is a stream whose
    frames have their time (it drops frames, or is paced), nothing is given to lie waiting, of any
    stream, unless that mean is below 2 ms. So a frame of a stream that takes less than its share
    waits for works at hand only.

    A work that a handler may have died of is given out alone, so that it blames no other.
    """

    def __init__(self, *, max_attempts: int = 3) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be 1 or more, but is {max_attempts}")
        self._max_attempts = max_attempts
        self._tickets = 0
        self._timely = 0  # streams whose frames have their time
        self._streams: dict[str, _Stream[W]] = {}
        self._turns = 0
        self._urgent: deque[_Queue[W]] = deque()
        self._new: deque[_Queue[W]] = deque()
        self._roster: Roster[_Entry[W]] = Roster()

    def add_stream(self, stream: str, policy: StreamPolicy) -> None:
        """Make ready for the works of a stream.

        Raises:
            ValueError: There is a stream of this name.
        """
        if stream in self._streams:
            raise ValueError(f"there is a stream {stream!r} already")
        self._streams[stream] = _Stream(
            new=_Queue(self._new, policy, urgent=False),
            urgent=_Queue(self._urgent, policy, urgent=True),
            is_timely=policy.is_timely,
        )
        self._timely += policy.is_timely

    def remove_stream(self, stream: str) -> list[W]:
        """Drop a stream: its queued works are returned, never to be given out.

        Those that handlers hold can still be finished; `leave` returns them.
        """
        gone = self._of(stream)
        del self._streams[stream]
        self._timely -= gone.is_timely
        return gone.urgent.close() + gone.new.close()

    def submit(self, work: W) -> list[Drop[W]]:
        """Queue a work; what it supersedes is dropped.

        Raises:
            ValueError: Its stream is unknown.
        """
        stream = self._of(work.stream)
        queue = stream.urgent if work.urgent else stream.new
        superseded: list[Drop[W]] = []
        if queue.keeps_newest and queue.works:
            superseded = [Drop(entry.work, "superseded") for entry in queue.works]
            queue.works.clear()
        self._tickets += 1
        queue.works.append(_Entry(self._tickets, work, queue))
        queue.stand_in_line()
        return superseded

    def queued(self, stream: str) -> int:
        """Count the works of a stream that wait for a handler."""
        state = self._of(stream)
        return len(state.new.works) + len(state.urgent.works)

    def oldest_queued(self, stream: str) -> W | None:
        """Look at the oldest new work that waits; None if there is none."""
        works = self._of(stream).new.works
        return works[0].work if works else None

    def drop_oldest(self, stream: str, reason: str) -> Drop[W] | None:
        """Drop the oldest new work that waits; None if there is none."""
        works = self._of(stream).new.works
        return Drop(works.popleft().work, reason) if works else None

    def withdraw(self, work: W) -> list[W]:
        """Take out the works of a frame that wait, never to be given out.

        Args:
            work: Any one of the frame, wherever it is.

        Raises:
            ValueError: Its stream is unknown.
        """
        withdrawn: list[W] = []
        stream = self._of(work.stream)
        for queue in (stream.new, stream.urgent):
            left = deque(entry for entry in queue.works if entry.work.frame_key != work.frame_key)
            if len(left) < len(queue.works):
                withdrawn += [e.work for e in queue.works if e.work.frame_key == work.frame_key]
                queue.works = left
        return withdrawn

    @property
    def handlers(self) -> int:
        """How many handlers there are."""
        return len(self._roster.handlers)

    def join(self, handler: bytes, *, capacity: int = 2, batch: int = 1) -> None:
        """Take a handler in.

        Args:
            handler: Its name.
            capacity: How many works it may hold: those at hand, and those that come next.
            batch: How many works it may have at hand at once.

        Raises:
            ValueError: It is there already, or `capacity` is less than `batch`.
        """
        self._roster.join(handler, capacity=capacity, batch=batch)

    def leave(self, handler: bytes, *, blame: bool = True) -> list[W]:
        """Let a handler go; what it held is queued again, in its old order.

        The frames that it may have had at hand, those of the `batch` oldest works, have an attempt
        counted: the first one on suspicion, further ones only if it held nothing else. It may have
        died of what came behind and not have told that the oldest is done, and several handlers
        may have works of one innocent frame. One that `leave` is called for twice, or that never
        joined, holds nothing.

        Args:
            handler: Who leaves.
            blame: Count attempts; False if it left of itself.

        Returns:
            Works that are given up: their frames failed `max_attempts` times, or their stream is
            gone. What else waits of these frames is left to `withdraw`.
        """
        gone = self._roster.leave(handler)
        if gone is None:
            return []
        given_up = []
        was_alone = len(gone.held) == 1
        for position, entry in enumerate(gone.held.values()):
            if blame and position < gone.batch and (was_alone or not entry.work.attempts):
                entry.work.attempts += 1
            if entry.queue.is_closed or entry.work.attempts >= self._max_attempts:
                given_up.append(entry.work)
            else:
                insort(entry.queue.works, entry, key=itemgetter(0))
                entry.queue.stand_in_line()
        return given_up

    def finish(self, handler: bytes, key: Hashable, *, busy_s: float | None = None) -> W | None:
        """Take a work back from the handler that is done with it.

        Args:
            handler: Who is done.
            key: With what.
            busy_s: How long it worked on it; None if that is not known.

        Returns:
            The work; None if it is not outstanding there: late, or a duplicate.
        """
        entry = self._roster.take(handler, key, busy_s=busy_s)
        return None if entry is None else entry.work

    def outstanding(self, handler: bytes) -> list[W]:
        """List what a handler holds, oldest first; nothing if it is not there."""
        known = self._roster.handlers.get(handler)
        return [entry.work for entry in known.held.values()] if known else []

    def service(self, handler: bytes) -> float | None:
        """Tell a handler's recent mean service time in seconds; None if it is not known."""
        known = self._roster.handlers.get(handler)
        return known.service_s if known else None

    def assign(self, now_ns: int) -> tuple[list[tuple[bytes, W]], list[Drop[W]]]:
        """Give out as many works as credit allows.

        If the work whose turn it is must wait, all wait.

        Returns:
            Handlers with their new works, in the order in which to send them; and works that are
            dropped because they are stale.
        """
        given: list[tuple[bytes, W]] = []
        drops: list[Drop[W]] = []
        while (queue := self._next_queue()) is not None:
            entry = queue.works[0]
            work = entry.work
            suspect = work.attempts > 0
            handler = self._roster.free(ahead=not self._timely, alone=suspect)
            if handler is None:
                break
            queue.works.popleft()
            if queue.staleness_ns is not None and now_ns - work.captured_ns > queue.staleness_ns:
                drops.append(Drop(work, "stale"))
                continue
            self._turns += 1
            queue.take_turn(self._turns)
            self._roster.give(handler, work.key, entry, alone=suspect)
            given.append((handler.name, work))
        return given, drops

    def _next_queue(self) -> _Queue[W] | None:
        for line in (self._urgent, self._new):
            while line:
                if line[0].works:
                    return line[0]
                line.popleft().is_in_line = False
        return None

    def _of(self, stream: str) -> _Stream[W]:
        try:
            return self._streams[stream]
        except KeyError:
            raise ValueError(f"no stream {stream!r} has been added") from None
