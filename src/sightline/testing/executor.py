"""An executor without processes and threads of its own, for tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sightline.jobs.executor import WorkerState, WorkerStatus
from sightline.jobs.states import TaskKind
from sightline.jobs.work import do_task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.jobs.workplace import Workplace

__all__ = ["InlineExecutor"]

_NAME = "inline"
_PAUSE_S = 0.01


class InlineExecutor:
    """Does tasks in the caller's thread, one after the other, when it is told to.

    Args:
        place: What to work with; it stays the caller's.

    Attributes:
        restarts: Always 0.
        woken: The kinds of every `wake` so far.
    """

    def __init__(self, place: Workplace) -> None:
        self.restarts = 0
        self.woken: list[frozenset[TaskKind]] = []
        self._place = place
        self._is_open = False

    @property
    def is_ready(self) -> bool:
        """Whether it was started, and not closed."""
        return self._is_open

    def start(self) -> None:
        """Give back what an executor before this one left."""
        place = self._place
        place.store.forfeit([_NAME], counted=False, policy=place.policy, now_s=place.clock())
        self._is_open = True

    def wake(self, kinds: Iterable[TaskKind]) -> None:
        """Note the kinds in `woken`."""
        self.woken.append(frozenset(kinds))

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Tell of one idle worker per kind."""
        return tuple(
            WorkerStatus(name=_NAME, kinds=(kind,), state=WorkerState.IDLE)
            for kind in (TaskKind if self._is_open else ())
        )

    def close(self, *, drain_s: float = 10.0) -> None:  # noqa: ARG002
        """End; nothing is under way between two calls."""
        self._is_open = False

    def run_until_idle(self) -> int:
        """Do tasks until there is none, waiting for those that are to be tried again later.

        Returns:
            How many were done.
        """
        done = 0
        while self._is_open and any(self._place.store.outstanding().values()):
            if self.run_one():
                done += 1
            else:
                time.sleep(_PAUSE_S)
        return done

    def run_one(self) -> bool:
        """Do one task; False if none is ready."""
        place = self._place
        kinds = [TaskKind.INGEST, TaskKind.CHUNK]
        counts = place.store.outstanding()
        if not any(number for group, number in counts.items() if group.kind in kinds):
            kinds = [TaskKind.FINAL]  # it waits for chunks, which nobody else does here
        lease = place.store.claim(kinds, worker=_NAME, policy=place.policy, now_s=place.clock())
        if lease is not None:
            do_task(lease, place)
        return lease is not None
