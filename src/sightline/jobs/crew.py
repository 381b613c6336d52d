"""The worker processes for one kind of tasks: as many as there should be, replaced when they die.

It starts, hears and ends them; leases and the store are not its business.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.jobs.executor import WorkerState, WorkerStatus
from sightline.jobs.worker import WorkerOptions, run_worker
from sightline.jobs.worker_channel import Word, WorkerChannel, channel_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.jobs.crew_size import CrewSize
    from sightline.jobs.states import TaskKind
    from sightline.transport.processes import Children

__all__ = ["Crew", "Member"]

_log = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 10.0
_SETTLED_S = 5.0
_KEEP_S = 30.0
"""How long a worker too many is kept: the next job saves its start."""
_LEAVE_S = 5.0


@dataclass(slots=True, eq=False)
class Member:
    """One worker process.

    Attributes:
        name: Its name on leases.
        channel: Our end of the channel to it.
        since_s: When it was started, or became ready; on the monotonic clock, like all here.
        moved_s: When its task last reported.
        state: What it is doing.
        is_leaving: It was told to end, and nobody takes its place.
        is_doomed: It was killed, or has closed its channel.
    """

    name: str
    channel: WorkerChannel
    since_s: float
    moved_s: float = 0.0
    state: WorkerState = WorkerState.STARTING
    is_leaving: bool = False
    is_doomed: bool = False

    @property
    def identity(self) -> bytes:
        """What the children know it by."""
        return self.name.encode()


class Crew:
    """Keeps a number of workers running. Used by one thread.

    Args:
        children: Starts and watches the processes.
        kind: The tasks that they do.
        size: Bounds on how many there are.
        equip: Makes the options of a worker, of its name and its end of the channel.

    Attributes:
        members: Those that are there.
        restarts: How many died without being told to.
    """

    def __init__(
        self,
        children: Children,
        kind: TaskKind,
        *,
        size: CrewSize,
        equip: Callable[[int, WorkerChannel], WorkerOptions],
    ) -> None:
        self.kind = kind
        self.members: list[Member] = []
        self.restarts = 0
        self._children = children
        self._size = size
        self._equip = equip
        self._target = size.least
        self._excess_since_s: float | None = None
        self._started = 0
        self._delay_s = 0.0
        self._due_s = 0.0

    @property
    def is_elastic(self) -> bool:
        """The number of workers depends on the number of tasks."""
        return self._size.least < self._size.most

    def aim(self, outstanding: int, now_s: float) -> None:
        """Choose how many there should be for so many tasks; tell one too many to end."""
        self._target = max(self._size.least, min(self._size.most, outstanding))
        staying = [member for member in self.members if not member.is_leaving]
        if len(staying) <= self._target:
            self._excess_since_s = None
        elif self._excess_since_s is None:
            self._excess_since_s = now_s
        elif now_s - self._excess_since_s > _KEEP_S:
            for member in [m for m in staying if m.state is WorkerState.IDLE][:1]:
                member.is_leaving = True
                member.channel.send(Word.STOP)

    def start_due(self, now_s: float) -> Iterator[Member]:
        """Start the workers that are missing, if it is time; yield them."""
        while now_s >= self._due_s and len(self.members) < self._target:
            self._started += 1
            ours, theirs = channel_pair()
            options = self._equip(self._started, theirs)
            member = Member(options.name, ours, now_s)
            self._children.start(member.identity, run_worker, options)
            theirs.close()
            self.members.append(member)
            yield member

    def hear(self, member: Member, now_s: float) -> frozenset[TaskKind]:
        """Take in what a worker says; return the kinds that it has made tasks of."""
        news: frozenset[TaskKind] = frozenset()
        for word, kinds in member.channel.take():
            match word:
                case Word.READY:
                    member.state, member.since_s = WorkerState.IDLE, now_s
                case Word.IDLE:
                    member.state = WorkerState.IDLE
                case Word.BUSY:
                    member.state, member.moved_s = WorkerState.BUSY, now_s
                case Word.MOVED:
                    member.moved_s = now_s
                case Word.NEWS:
                    news |= kinds
        if member.channel.is_closed and not member.is_doomed:
            member.is_doomed = True
            self._children.expect_end(member.identity, now_s + _LEAVE_S)
        return news

    def kill_hung(self, now_s: float, *, stall_s: float, start_s: float) -> None:
        """Kill the workers whose task has not reported, or that are not ready, for too long."""
        for member in self.members:
            match member.state:
                case WorkerState.BUSY:
                    is_hung = now_s - member.moved_s > stall_s
                case WorkerState.STARTING:
                    is_hung = now_s - member.since_s > start_s
                case WorkerState.IDLE:
                    is_hung = False
            if is_hung and not member.is_doomed:
                _log.warning("worker hangs name=%s", member.name)
                member.is_doomed = True
                self._children.kill(member.identity)

    def bury(self, member: Member, status: int, now_s: float) -> None:
        """Forget a dead worker, and plan its successor: the next one soon, then ever later."""
        self.members.remove(member)
        member.channel.close()
        if member.is_leaving:
            return
        _log.warning("worker died name=%s status=%d", member.name, status)
        self.restarts += 1
        if member.state is not WorkerState.STARTING and now_s - member.since_s >= _SETTLED_S:
            self._delay_s = 0.0
        self._due_s = now_s + self._delay_s
        self._delay_s = min(_LONGEST_DELAY_S, max(_FIRST_DELAY_S, 2 * self._delay_s))

    def wake(self) -> None:
        """Have the workers look for tasks."""
        for member in self.members:
            member.channel.send(Word.WAKE)

    def statuses(self) -> Iterator[WorkerStatus]:
        """Tell of the workers."""
        pids = self._children.pids
        for member in self.members:
            yield WorkerStatus(
                name=member.name, kinds=(self.kind,), state=member.state, pid=pids.get(member.name)
            )
