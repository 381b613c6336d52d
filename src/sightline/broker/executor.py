"""The executor of a service whose workers are elsewhere: it wakes them, and knows who is there."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sightline.jobs.executor import WorkerState, WorkerStatus
from sightline.jobs.queues import kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sightline.broker.wakeups import WakeUps
    from sightline.jobs.states import TaskKind
    from sightline.jobs.worker_board import WorkerBoard, WorkerCard

__all__ = ["CeleryExecutor"]

_log = logging.getLogger(__name__)

_SWEEP_S = 2.0


class CeleryExecutor:
    """Wakes the workers of a store through a broker. The workers are not its own.

    Args:
        wakeups: Sends the messages; used by a thread of the executor alone.
        board: Where the workers say that they are there.
        clock: Seconds since 1970.

    Attributes:
        broker_is_up: Whether the broker answered the last time.
    """

    def __init__(
        self, wakeups: WakeUps, board: WorkerBoard, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.broker_is_up = True
        self._wakeups = wakeups
        self._board = board
        self._clock = clock
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)

    @property
    def restarts(self) -> int:
        """How many processes of the workers that are there were lost and replaced."""
        return sum(card.lost for card in self._cards())

    @property
    def is_ready(self) -> bool:
        """Always: jobs wait for the broker and for workers, which come and go on their own."""
        return True

    def start(self) -> None:
        """Begin to wake workers; does not wait until there are any."""
        self._thread.start()

    def wake(self, kinds: Iterable[TaskKind]) -> None:  # noqa: ARG002 - the store says of which queues
        """Say that there are new tasks; any thread may, at any time."""
        self._news.set()

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Tell of the processes of all workers that have been heard of lately."""
        if self._closed.is_set() or self._thread.ident is None:
            return ()
        return tuple(status for card in self._cards() for status in _statuses(card))

    def close(self, *, drain_s: float = 10.0) -> None:
        """Stop waking workers, which go on with what they do; does nothing if it is closed."""
        self._closed.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=drain_s)

    def _cards(self) -> tuple[WorkerCard, ...]:
        return tuple(self._board.cards(self._clock()))

    def _run(self) -> None:
        while not self._closed.is_set():
            self._news.clear()
            self._top_up()
            self._news.wait(_SWEEP_S)

    def _top_up(self) -> None:
        try:
            self._wakeups.top_up()
        except Exception as error:  # noqa: BLE001 - thread boundary: found missing at the next sweep
            if self.broker_is_up:
                _log.error("cannot wake workers error=%s", error)
            self.broker_is_up = False
        else:
            if not self.broker_is_up:
                _log.warning("workers can be woken again")
            self.broker_is_up = True


def _statuses(card: WorkerCard) -> Iterator[WorkerStatus]:
    for slot in range(card.slots):
        yield WorkerStatus(
            name=f"{card.name}:{slot}",
            kinds=kinds_of(card.queues),
            state=WorkerState.BUSY if slot < card.busy else WorkerState.IDLE,
            pid=card.pid,
        )
