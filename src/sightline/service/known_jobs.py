"""Jobs that clients ask for again and again, as long as nothing has changed.

Many clients that poll ask for few jobs, more often than these change. A store that can tell at once
that nothing has changed need not be asked, which saves a query and the way to another thread and
back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.concurrency import run_in_threadpool

from sightline.jobs.files import is_identifier
from sightline.jobs.states import JobState
from sightline.jobs.store import UnknownJobError

if TYPE_CHECKING:
    from sightline.jobs.model import Job
    from sightline.jobs.store import JobStore

__all__ = ["KnownJobs", "Look"]

_MOST = 1000


class Look(NamedTuple):
    """A job, and how many queued jobs are before it; None if it is not queued."""

    job: Job
    queue_position: int | None


class KnownJobs:
    """Looks at jobs; what it gives is never older than the call. Belongs to one event loop.

    Args:
        store: Where they are.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._looks: dict[str, Look] = {}
        self._count: int | None = None

    async def look(self, job_id: str) -> Look:
        """Look at a job.

        Raises:
            UnknownJobError: There is none.
        """
        if not is_identifier(job_id):
            raise UnknownJobError(job_id)
        count = self._store.change_count()
        if count != self._count or len(self._looks) >= _MOST:
            self._looks.clear()
            self._count = count
        found = self._looks.get(job_id)
        if found is None:
            found = await run_in_threadpool(_look_at, self._store, job_id)
            # Nobody has noticed a change meanwhile; if there was one, the next call does.
            if count is not None and count == self._count:
                self._looks[job_id] = found
        return found


def _look_at(store: JobStore, job_id: str) -> Look:
    """Look at a job in a store; blocks.

    Raises:
        UnknownJobError: There is none.
    """
    job = store.get(job_id)
    if job.state is not JobState.QUEUED:
        return Look(job, None)
    return Look(job, store.queue_positions([job_id]).get(job_id))
