"""Supervises the crews of an executor: passes wake-ups on, buries the dead, gives leases back.

Used by one thread, which calls `tick` again and again. It knows nothing of what tasks are about.
"""

from __future__ import annotations

import logging
import secrets
import selectors
import time
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from sightline.jobs.crew import Crew
from sightline.jobs.executor import WorkerState
from sightline.jobs.states import TaskKind
from sightline.jobs.worker import WorkerOptions
from sightline.jobs.worker_channel import Word
from sightline.transport.processes import Children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sightline.jobs.crew import Member
    from sightline.jobs.crew_size import CrewSize
    from sightline.jobs.executor import WorkerStatus
    from sightline.jobs.local_options import LocalOptions
    from sightline.jobs.store import JobStore, LeasePolicy
    from sightline.jobs.worker_channel import WorkerChannel

__all__ = ["Supervisor"]

_log = logging.getLogger(__name__)

_TICK_S = 0.25
_SCALING_S = 1.0
_GIVE_BACK_S = 5.0
"""How long tasks may take to notice that they are to be given back."""

_PRELOAD = (
    "sightline.jobs.worker",
    "sightline.jobs.workplace",
    "sightline.jobs.final_pass",
)


class Supervisor:
    """Keeps the workers of one executor running.

    Args:
        store: Where dead workers' leases are given back.
        options: How many workers there are.
        policy: When work is given up.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: JobStore,
        options: LocalOptions,
        *,
        policy: LeasePolicy,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._options = options
        self._policy = policy
        self._clock = clock
        self._life = secrets.token_hex(4)
        self._children = Children(_PRELOAD)
        self._crews = {
            TaskKind.INGEST: self._crew(TaskKind.INGEST, options.ingest),
            TaskKind.CHUNK: self._crew(TaskKind.CHUNK, options.detect),
            TaskKind.FINAL: self._crew(TaskKind.FINAL, options.finalize),
        }
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._children.fd, selectors.EVENT_READ)
        self._forfeits: dict[str, bool] = {}
        self._scaled_s = 0.0

    @property
    def restarts(self) -> int:
        """How many workers were replaced because they died or hung."""
        return sum(crew.restarts for crew in self._crews.values())

    def watch(self, descriptor: int) -> None:
        """Have `tick` return early when this descriptor is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ)

    def unwatch(self, descriptor: int) -> None:
        """Undo `watch`."""
        self._selector.unregister(descriptor)

    def tick(self) -> None:
        """Wait a moment for something to happen, and see to it."""
        self._attend(_TICK_S)
        now_s = time.monotonic()
        self._scale(now_s)
        for crew in self._crews.values():
            crew.kill_hung(now_s, stall_s=self._options.stall_s, start_s=self._options.start_s)
            for member in crew.start_due(now_s):
                self._selector.register(member.channel, selectors.EVENT_READ)

    def wake(self, kinds: Iterable[TaskKind]) -> None:
        """Have the workers for these kinds look for tasks."""
        for kind in kinds:
            self._crews[kind].wake()

    def statuses(self) -> tuple[WorkerStatus, ...]:
        """Tell of the workers."""
        return tuple(chain.from_iterable(crew.statuses() for crew in self._crews.values()))

    def drain(self, drain_s: float) -> None:
        """End all workers; after this time their tasks are given back, and what hangs is killed."""
        for _, member in self._members():
            member.is_leaving = True
            member.channel.send(Word.STOP)
            if member.state is WorkerState.STARTING:
                self._children.kill(member.identity)
        self._wait_for_end(drain_s)
        for _, member in self._members():
            self._children.terminate(member.identity)
        self._wait_for_end(_GIVE_BACK_S)

    def close(self) -> None:
        """Kill the workers that are left, and give back what they had."""
        for _, member in self._members():
            self._children.kill(member.identity)
        self._wait_for_end(_GIVE_BACK_S)
        self._forfeit()
        self._selector.close()
        self._children.end_all(timeout_s=0)

    def _crew(self, kind: TaskKind, size: CrewSize) -> Crew:
        def equip(number: int, channel: WorkerChannel) -> WorkerOptions:
            options = self._options
            return WorkerOptions(
                name=f"{options.name}:{self._life}:{kind}-{number}",
                kind=kind,
                open_workplace=options.open_workplace,
                channel=channel,
                warm=options.warm,
                memory_bytes=options.memory_bytes,
            )

        return Crew(self._children, kind, size=size, equip=equip)

    def _members(self) -> Iterator[tuple[Crew, Member]]:
        for crew in self._crews.values():
            for member in list(crew.members):
                yield crew, member

    def _attend(self, timeout_s: float) -> None:
        """Hear what workers say, and bury the dead."""
        self._selector.select(timeout_s)
        now_s = time.monotonic()
        for crew, member in self._members():
            self.wake(crew.hear(member, now_s))
            if member.channel.is_closed:
                self._forget(member)
        self._children.kill_late(now_s)
        dead = self._children.take_dead()
        for crew, member in self._members():
            if member.identity in dead:
                self._forget(member)
                self._forfeits[member.name] = not member.is_leaving
                crew.bury(member, dead[member.identity], now_s)
        self._forfeit()

    def _forget(self, member: Member) -> None:
        with suppress(KeyError):
            self._selector.unregister(member.channel)

    def _forfeit(self) -> None:
        """End the leases of the dead; kept for the next tick if the store is away."""
        for counted in (True, False):
            names = [name for name, is_counted in self._forfeits.items() if is_counted is counted]
            if not names:
                continue
            try:
                now_s = self._clock()
                self._store.forfeit(names, counted=counted, policy=self._policy, now_s=now_s)
            except Exception:  # noqa: BLE001 - the store is away; logged
                _log.exception("cannot give back leases workers=%s", ",".join(names))
                return
            for name in names:
                del self._forfeits[name]

    def _scale(self, now_s: float) -> None:
        """Have as many workers as there are tasks for, within bounds."""
        elastic = [crew for crew in self._crews.values() if crew.is_elastic]
        if not elastic or now_s - self._scaled_s < _SCALING_S:
            return
        self._scaled_s = now_s
        try:
            counts = self._store.outstanding()
        except Exception:  # noqa: BLE001 - the store is away; logged
            _log.exception("cannot count tasks")
            return
        for crew in elastic:
            tasks = sum(number for group, number in counts.items() if group.kind is crew.kind)
            crew.aim(tasks, now_s)

    def _wait_for_end(self, timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        while any(True for _ in self._members()) and time.monotonic() < until_s:
            self._attend(_TICK_S)
