"""What the main process of a worker sees to besides its messages, in a thread of its own.

    every half second   processes of the pool that are gone: their leases are given back
    every five seconds  the worker's card on the board, and whether messages still reach it
    now and then        what the service does all the time, in case that it is down

The thread holds a lock while it works, and forks wait for it: a new process of the pool must not
inherit a connection in the middle of a sentence.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.broker.wakeups import WakeUps
    from sightline.jobs.store import JobStore, LeasePolicy
    from sightline.jobs.worker_board import WorkerBoard, WorkerCard

__all__ = ["Attendant", "Office", "Pool", "Signs"]

_log = logging.getLogger(__name__)

_TICK_S = 0.5
_CARD_S = 5.0
_SWEEP_S = 30.0
_TIDY_S = 600.0
_STALLED_S = 60.0
"""Messages that wait so long although a process is idle do not reach this worker any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What Celery says of its pool at a moment.

    Attributes:
        pids: Its processes.
        busy: How many of them have a task.
        received: Messages that the worker has received since it began.
        is_connected: There is a connection to the broker.
    """

    pids: frozenset[int]
    busy: int
    received: int
    is_connected: bool


@dataclass(slots=True)
class Signs:
    """Signs of life, for `/livez` and `/readyz`; times are monotonic.

    Attributes:
        loop_s: When the event loop of the worker went round last; it rests without a connection.
        is_connected: It has a connection to the broker.
        store_s: When the store answered last.
        processes: How many processes the pool has.
        is_stalled: Messages wait, processes are idle, and nothing comes.
        is_leaving: The worker was told to end.
    """

    loop_s: float = float("-inf")
    is_connected: bool = False
    store_s: float = float("-inf")
    processes: int = 0
    is_stalled: bool = False
    is_leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the main process of a worker has of the service.

    Attributes:
        store: The jobs.
        board: Where workers say that they are there.
        wakeups: For the time when nobody else sends them.
        policy: When work is given up.
        tidy: Called with the time of this machine, which has dated its files, now and then; removes
            copies of what the service has deleted.
        clock: Seconds since 1970, as in the rows of the store.
    """

    store: JobStore
    board: WorkerBoard
    wakeups: WakeUps
    policy: LeasePolicy
    tidy: Callable[[float], object] = id
    clock: Callable[[], float] = time.time


class Attendant:
    """The thread.

    Args:
        office: What it works with.
        card: The worker's; what changes is filled in.
        look: Looks at the pool; None while there is none.
        signs: Updated for the health of the worker.
    """

    def __init__(
        self,
        office: Office,
        *,
        card: WorkerCard,
        look: Callable[[], Pool | None],
        signs: Signs,
    ) -> None:
        self._store = office.store
        self._board = office.board
        self._wakeups = office.wakeups
        self._policy = office.policy
        self._tidy = office.tidy
        self._clock = office.clock
        self._card = card
        self._look = look
        self._signs = signs
        self._known: set[int] = set()
        self._gone: set[int] = set()
        self._starved_since_s: float | None = None
        self._received = 0
        self._due_s: dict[str, float] = {}
        self._working = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="attendant", daemon=True)

    def start(self) -> None:
        """Begin."""
        os.register_at_fork(
            before=self._working.acquire,
            after_in_parent=self._working.release,
            after_in_child=self._working.release,
        )
        self._thread.start()

    def close(self) -> None:
        """End, when the pool is gone: give back what its processes had, and take the card away."""
        self._closed.set()
        if self._thread.ident is None:
            return
        self._thread.join()
        self._gone |= self._known
        self._known = set()
        self._try(lambda: self._forfeit(counted=False))
        self._try(lambda: self._board.remove(self._card.name))

    def _run(self) -> None:
        while not self._closed.wait(_TICK_S):
            with self._working:
                self._tick(time.monotonic())

    def _tick(self, now_s: float) -> None:
        pool = self._look()
        if pool is None:
            return
        self._note_connection(pool, now_s)
        self._signs.processes = len(pool.pids)
        self._gone |= self._known - pool.pids
        self._known = set(pool.pids)
        if self._gone:
            # Who was told to give a task back, and could not within a second, has not failed.
            self._try(lambda: self._forfeit(counted=not self._signs.is_leaving))
        if self._is_due("card", now_s, _CARD_S):
            self._try(lambda: self._post(pool))
            self._try(lambda: self._note_starving(pool, now_s))
        if self._is_due("sweep", now_s, _SWEEP_S):
            self._try(self._sweep)
        if self._is_due("tidy", now_s, _TIDY_S):
            self._try(lambda: self._tidy(time.time()))

    def _note_connection(self, pool: Pool, now_s: float) -> None:
        if pool.is_connected and not self._signs.is_connected:
            self._signs.loop_s = now_s  # it has only just begun to go round
        self._signs.is_connected = pool.is_connected

    def _is_due(self, chore: str, now_s: float, every_s: float) -> bool:
        if now_s < self._due_s.get(chore, 0.0):
            return False
        # Not all workers at the same moment.
        self._due_s[chore] = now_s + every_s * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        return True

    def _forfeit(self, *, counted: bool) -> None:
        names = [f"{self._card.name}:{pid}" for pid in sorted(self._gone)]
        ended = self._store.forfeit(
            names, counted=counted, policy=self._policy, now_s=self._clock()
        )
        self._gone.clear()
        if ended:
            _log.warning("gave back leases of lost processes count=%d", ended)
            self._card = replace(self._card, lost=self._card.lost + (ended if counted else 0))
            self._wakeups.top_up()

    def _post(self, pool: Pool) -> None:
        now_s = self._clock()
        self._card = replace(self._card, slots=len(pool.pids), busy=pool.busy, seen_at=now_s)
        self._board.post(self._card)
        self._signs.store_s = time.monotonic()

    def _note_starving(self, pool: Pool, now_s: float) -> None:
        """Find out whether messages wait that do not come, though there are hands for them."""
        is_fed = pool.received != self._received or pool.busy >= len(pool.pids)
        self._received = pool.received
        if is_fed or not any(self._wakeups.waiting(self._card.queues).values()):
            self._starved_since_s = None
        elif self._starved_since_s is None:
            self._starved_since_s = now_s
        since_s = self._starved_since_s
        is_stalled = since_s is not None and now_s - since_s > _STALLED_S
        if is_stalled and not self._signs.is_stalled:
            _log.error("messages wait and do not come: this worker is to be started anew")
        self._signs.is_stalled = is_stalled

    def _sweep(self) -> None:
        now_s = self._clock()
        self._store.sweep(policy=self._policy, now_s=now_s)
        self._board.sweep(now_s)
        self._wakeups.top_up()

    def _try(self, chore: Callable[[], object]) -> None:
        try:
            chore()
        except Exception as error:  # noqa: BLE001 - thread boundary: tried again at the next tick
            _log.warning("a chore of the worker failed; it is tried again error=%s", error)
