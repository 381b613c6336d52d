"""The executor inside `sightline serve`: worker processes on this machine, kept alive and supplied.

One thread supervises them: it passes wake-ups on, replaces what dies, kills what hangs, and has as
many workers as there are tasks for, within bounds. It does no task itself.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.store import JobQuery, LeasePolicy
from sightline.jobs.supervisor import Supervisor
from sightline.transport.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sightline.jobs.executor import WorkerStatus
    from sightline.jobs.local_options import LocalOptions
    from sightline.jobs.store import JobStore

__all__ = ["LocalExecutor"]

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_PAGE = 100
_ACTIVE = frozenset({JobState.RUNNING, JobState.FINALIZING, JobState.CANCELING})


class LocalExecutor:
    """Does the tasks of a store in processes of this machine.

    Give every store at most one executor of a name: at its start it gives back what workers of
    that name still hold, because they cannot be alive any more.

    Args:
        store: The same that the workplaces of the workers open.
        options: How many workers there are.
        policy: When work is given up.
        clock: Seconds since 1970.

    Attributes:
        restarts: How many workers were replaced because they died or hung.
    """

    def __init__(
        self,
        store: JobStore,
        options: LocalOptions,
        *,
        policy: LeasePolicy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.restarts = 0
        self._store = store
        self._options = options
        self._policy = policy or LeasePolicy()
        self._clock = clock
        self._news: queue.SimpleQueue[frozenset[TaskKind]] = queue.SimpleQueue()
        self._wakeup = Wakeup()
        self._statuses: tuple[WorkerStatus, ...] = ()
        self._closing = threading.Lock()
        self._drain_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="executor", daemon=True)

    @property
    def is_ready(self) -> bool:
        """Whether there are workers."""
        return bool(self._statuses)

    def start(self) -> None:
        """Begin to do tasks; does not wait until workers are ready."""
        self._forfeit_former_life()
        self._thread.start()

    def wake(self, kinds: Iterable[TaskKind]) -> None:
        """Say that there are new tasks of these kinds; any thread may, at any time."""
        self._news.put(frozenset(kinds))
        self._wakeup.set()

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Tell of the workers that there are."""
        return self._statuses

    def close(self, *, drain_s: float = 10.0) -> None:
        """End the workers: tasks that end within this time are finished, others given back.

        Does nothing if it is closed. No lease is left.
        """
        with self._closing:
            if self._drain_s is not None:
                return
            self._drain_s = drain_s
            self._wakeup.set()
            if self._thread.ident is not None:
                self._thread.join()
            self._wakeup.close()

    def _run(self) -> None:
        supervisor = Supervisor(self._store, self._options, policy=self._policy, clock=self._clock)
        supervisor.watch(self._wakeup.fd)
        try:
            while self._drain_s is None:
                self._step(supervisor)
            supervisor.unwatch(self._wakeup.fd)
            supervisor.drain(self._drain_s)
        finally:
            supervisor.close()
            self._statuses = ()

    def _step(self, supervisor: Supervisor) -> None:
        try:
            supervisor.tick()
            self._wakeup.clear()
            with suppress(queue.Empty):
                while True:
                    supervisor.wake(self._news.get_nowait())
            self._statuses, self.restarts = supervisor.statuses(), supervisor.restarts
        except Exception:  # noqa: BLE001 - thread boundary: without supervision jobs would stop for good
            _log.exception("supervision failed; it goes on")
            time.sleep(_PAUSE_S)

    def _forfeit_former_life(self) -> None:
        """Give back what workers of this name still hold: those are dead; no attempt counts."""
        former = {w for w in _holders(self._store) if w.startswith(f"{self._options.name}:")}
        if former:
            count = self._store.forfeit(
                former, counted=False, policy=self._policy, now_s=self._clock()
            )
            _log.info("gave back leases of the former life count=%d", count)


def _holders(store: JobStore) -> Iterator[str]:
    """Name the workers that hold leases."""
    query = JobQuery(states=_ACTIVE, limit=_PAGE)
    while jobs := store.list(query):
        for job in jobs:
            for task in store.tasks(job.id):
                if task.state is TaskState.LEASED and task.worker is not None:
                    yield task.worker
        query = replace(query, before=jobs[-1].id)
