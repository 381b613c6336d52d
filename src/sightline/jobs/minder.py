"""Minds the task that a worker is doing, from a thread beside it.

It passes on that the worker is to end, tells that the task moves, and ends the process when the
task does not: one that ignores its end, or has stopped reporting, cannot be helped otherwise.
What becomes of the lease is not its business: somebody notices that the process is gone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.jobs.heartbeat import Heartbeat

__all__ = ["Minder", "Orders", "TaskWatch"]

_log = logging.getLogger(__name__)

_MINDING_S = 0.2
_OBSTINATE_S = 1.0
"""How long a task may go on that is to end: a canceled job is to end within 2 s."""


class Orders(Enum):
    """What a worker is told about the task that it does."""

    GO_ON = "go on"
    FINISH = "finish this task, and take no other"
    GIVE_BACK = "give this task back at its next report, and end"


class TaskWatch:
    """What is known of the tasks of a worker: one, or one inside another.

    The final pass of a job may do a chunk while it waits; then the chunk is the task that moves.
    """

    def __init__(self) -> None:
        self._heartbeats: list[Heartbeat] = []

    def add(self, heartbeat: Heartbeat) -> None:
        """Take in a task that begins; `do_task` calls it."""
        self._heartbeats = [*self._heartbeats, heartbeat]

    @contextmanager
    def task(self) -> Iterator[None]:
        """Forget, at the end of the block, what was added in it."""
        before = self._heartbeats
        try:
            yield
        finally:
            self._heartbeats = before

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """The tasks, the one that moves last; safe to read from any thread."""
        return self._heartbeats


class Minder:
    """The thread.

    Args:
        watch: The tasks.
        name: Of the worker, for the log.
        orders: Asked for what the worker is told; must not block.
        on_move: Called when the task has reported since the last look.
        stall_s: A task that has not reported for so long ends the process; None: never.
    """

    def __init__(
        self,
        watch: TaskWatch,
        *,
        name: str,
        orders: Callable[[], Orders],
        on_move: Callable[[], object] = lambda: None,
        stall_s: float | None = None,
    ) -> None:
        self._watch = watch
        self._name = name
        self._orders = orders
        self._on_move = on_move
        self._stall_s = stall_s
        self._seen: tuple[int, int] = (0, 0)
        self._moved_s = 0.0
        self._ignored_s: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="minder", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; does nothing if it was never started."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(_MINDING_S):
            heartbeats = self._watch.heartbeats
            if heartbeats:
                self._pass_orders_on(heartbeats)
                self._look_at(heartbeats[-1], time.monotonic())
            else:
                self._ignored_s = None

    def _pass_orders_on(self, heartbeats: list[Heartbeat]) -> None:
        orders = self._orders()
        for heartbeat in heartbeats:
            heartbeat.worker_ends = orders is not Orders.GO_ON
            if orders is Orders.GIVE_BACK:
                heartbeat.give_back()

    def _look_at(self, heartbeat: Heartbeat, now_s: float) -> None:
        now = (id(heartbeat), heartbeat.reports)
        if now != self._seen:
            self._seen, self._moved_s = now, now_s
            self._ignored_s = None
            self._on_move()
        elif self._stall_s is not None and now_s - self._moved_s > self._stall_s:
            self._end_process("a task has stopped reporting")
        if not heartbeat.is_ignored:
            self._ignored_s = None
        elif self._ignored_s is None:
            self._ignored_s = now_s
        elif now_s - self._ignored_s > _OBSTINATE_S:
            self._end_process("a task does not end")

    def _end_process(self, why: str) -> None:
        _log.warning("%s worker=%s", why, self._name)
        os._exit(1)
