"""The heartbeat of a task: keeps its lease alive, tells of its progress, and hears when to end.

It knows nothing of what the task does.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import LeasePolicy, LeaseReport, Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from sightline.jobs.model import Lease
    from sightline.jobs.store import JobStore

__all__ = [
    "Heartbeat",
    "LeaseLostError",
    "LeaseReturnedError",
    "TaskStoppedError",
    "WrapUpError",
    "renewal_interval_s",
]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_INTERVAL_S = 0.5
_FIRST_S = 0.1
"""The first frames of a job are seen by those who wait for them."""
_MANY_CHUNKS = 8
_RENEWALS_PER_LEASE = 6


def renewal_interval_s(chunks_running: int, policy: LeasePolicy) -> float:
    """Say how often a lease is to be renewed: every renewal writes the row of the job, one by one.

    >>> [renewal_interval_s(chunks, LeasePolicy(lease_s=30.0)) for chunks in (1, 8, 16, 1000)]
    [0.5, 0.5, 1.0, 5.0]
    """
    most_s = max(_INTERVAL_S, policy.lease_s / _RENEWALS_PER_LEASE)
    return min(max(_INTERVAL_S, _INTERVAL_S * chunks_running / _MANY_CHUNKS), most_s)


class TaskStoppedError(Exception):
    """The task is to end now, through no fault of its own.

    Not a `SightlineError`: who handles failures of the work must not take it for one.
    """


class WrapUpError(TaskStoppedError):
    """The job is canceled or failing; what this task makes is not needed any more."""


class LeaseLostError(TaskStoppedError):
    """The lease is gone: somebody else does the task; write nothing more."""


class LeaseReturnedError(TaskStoppedError):
    """The worker is to end, and gives the task back unharmed."""


class Heartbeat:
    """Keeps a lease, in a thread of its own, while it is entered.

    It hears every half second whether to go on; that renews the lease, or, where many chunks of the
    job are worked on, only asks, and renews it less often.

    Args:
        store: Where the lease comes from.
        lease: What to renew.
        policy: How long a lease lasts.
        clock: The wall clock, in seconds since 1970.
        notes_wrap_up: The task looks at `wrap_up` itself after each report, to keep what is
            finished; otherwise `report` raises `WrapUpError`.

    Attributes:
        wrap_up: The job is canceled or failing.
        worker_ends: The worker ends after this task, and so do those beside it; set by the worker.
        reports: How often the task has reported: it moves as long as this grows.
    """

    def __init__(
        self,
        store: JobStore,
        lease: Lease,
        *,
        policy: LeasePolicy,
        clock: Callable[[], float] = time.time,
        notes_wrap_up: bool = False,
    ) -> None:
        self.wrap_up = False
        self.worker_ends = False
        self.reports = 0
        self._store = store
        self._lease = lease
        self._policy = policy
        self._clock = clock
        self._notes_wrap_up = notes_wrap_up
        self._latest = LeaseReport()
        self._stop: TaskStoppedError | None = None
        self._is_heard = False
        self._reports_before: int | None = None  # when it was heard that the job is canceled
        self._ends_by_itself = False
        self._pause_s = _INTERVAL_S
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def report(
        self, *, frames_done: int = 0, bytes_done: int = 0, bytes_total: int | None = None
    ) -> None:
        """Note how far the task is, and go on; cheap enough for every frame and block.

        Call it also while waiting: a task that does not report for long counts as hung.

        Args:
            frames_done: Frames of the task that are done, in all.
            bytes_done: Ingest: bytes of the video that were fetched.
            bytes_total: Ingest: how many there will be; None where unknown.

        Raises:
            WrapUpError: The job is canceled or failing, and the task does not look itself.
            LeaseLostError: The lease is gone.
            LeaseReturnedError: The worker is to end.
        """
        self._latest = LeaseReport(
            frames_done=frames_done, bytes_done=bytes_done, bytes_total=bytes_total
        )
        self.reports += 1
        if self._stop is not None:
            self._is_heard = True
            raise self._stop

    def now_s(self) -> float:
        """Tell the time, in seconds since 1970, as in the rows of the store."""
        return self._clock()

    def repeat(self) -> None:
        """Report again what was reported last, while something else goes on; see `report`."""
        latest = self._latest
        self.report(
            frames_done=latest.frames_done,
            bytes_done=latest.bytes_done,
            bytes_total=latest.bytes_total,
        )

    @property
    def is_ignored(self) -> bool:
        """The task is to end, and has not reported since, so that it does not know.

        The final pass of a failing job is not: it is to make results of what is finished.
        """
        if self._stop is not None:
            return not self._is_heard
        return self.reports == self._reports_before and not self._ends_by_itself

    def expect_silence(self) -> None:
        """Note that the task is about to end by itself, which may take a while without a report."""
        self._ends_by_itself = True

    def give_back(self) -> None:
        """Have the next report raise `LeaseReturnedError`; for any thread and signal handler."""
        if self._stop is None:
            self._stop = LeaseReturnedError("the worker ends")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        renewed_s = self._clock()
        wait_s = _FIRST_S
        due_s = 0.0
        while not self._end.wait(wait_s):
            wait_s = _INTERVAL_S
            now_s = self._clock()
            is_due = time.monotonic() >= due_s
            standing = self._heard(self._renew if is_due else self._ask, now_s)
            if standing is not None and is_due:
                renewed_s = now_s
                due_s = time.monotonic() + self._pause_s - _INTERVAL_S / 2
            elif standing is None and now_s - renewed_s >= self._policy.lease_s:
                standing = Standing.LOST
            if standing is Standing.LOST:
                self._stop = LeaseLostError("the lease of the task is gone")
                return
            if standing is Standing.WRAP_UP:
                self._note_wrap_up()

    def _note_wrap_up(self) -> None:
        self.wrap_up = True
        if not self._notes_wrap_up:
            self._stop = self._stop or WrapUpError("the job is canceled or failing")
        elif self._reports_before is None and self._heard(self._is_canceled, self._clock()):
            self._reports_before = self.reports

    def _is_canceled(self, _now_s: float) -> bool:
        """Tell a canceled job from a failing one, which takes its time for what is finished."""
        state = self._store.get(self._lease.job.id).state
        return state is JobState.CANCELING or state.terminal

    def _renew(self, now_s: float) -> Standing:
        """Renew the lease, and find out when it is to be renewed again."""
        standing = self._store.renew(self._lease, self._latest, policy=self._policy, now_s=now_s)
        if self._lease.task.kind is TaskKind.CHUNK and standing is Standing.GO_ON:
            running = self._store.get(self._lease.job.id).progress.chunks_running
            self._pause_s = renewal_interval_s(running, self._policy)
        return standing

    def _ask(self, _now_s: float) -> Standing:
        return self._store.standing(self._lease)

    def _heard(self, ask: Callable[[float], T], now_s: float) -> T | None:
        """Hear what the store says; None if it cannot be reached at the moment."""
        try:
            return ask(now_s)
        except Exception as error:  # noqa: BLE001 - thread boundary: tried again until it is lost
            task = self._lease.task
            _log.warning(
                "cannot keep lease job=%s kind=%s number=%d error=%s",
                task.job_id,
                task.kind,
                task.number,
                error,
            )
            return None
