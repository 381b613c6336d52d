"""Cases in the database: load what a rule looks at, and save what it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uuid_utils
from sqlalchemy import bindparam, delete, insert, select, update

from sightline.jobs.case import Case
from sightline.jobs.sql.rows import (
    job_from_row,
    job_values,
    new_job_values,
    task_from_row,
    task_values,
)
from sightline.jobs.sql.schema import deliveries, idempotency, jobs, labels, tasks
from sightline.jobs.sql.usage import forget_usage, keep_usage
from sightline.jobs.states import JobState, TaskState
from sightline.jobs.store import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from sightline.jobs.model import Job, Task
    from sightline.jobs.states import TaskKind
    from sightline.jobs.store import IdempotencyKey

__all__ = [
    "StoredCase",
    "hold_job",
    "insert_job",
    "load_job",
    "load_tasks",
    "remove_job",
]

_KEY = ("job_id", "kind", "number")
# What is done for every chunk is put together once: that takes longer than to do it.
_HOLD_JOB = select(jobs).where(jobs.c.id == bindparam("the_id")).with_for_update()
_UPDATE_JOB = update(jobs).where(jobs.c.id == bindparam("the_id"))
_UPDATE_TASK = update(tasks).where(*(tasks.c[name] == bindparam(f"the_{name}") for name in _KEY))
_ENDED = {
    JobState.SUCCEEDED: "job.succeeded",
    JobState.FAILED: "job.failed",
    JobState.CANCELED: "job.canceled",
}


class StoredCase:
    """A case in a transaction.

    Attributes:
        case: For the rules.
    """

    def __init__(self, connection: Connection, job: Job, work: Iterable[Task] = ()) -> None:
        self.case = Case(job, work, _StoredTasks(connection, job.id))
        self._connection = connection
        self._job = job

    def save(self, *, now_s: float, token: str | None = None) -> None:
        """Write what has changed.

        Args:
            now_s: The time, for the row of a webhook.
            token: Of the lease, if one was just given; the tasks keep theirs otherwise.
        """
        self._save_job()
        self._save_tasks(token)
        has_ended = self.case.job.state is not self._job.state and self.case.job.state in _ENDED
        if has_ended and self._job.spec.webhook_url is not None:
            self._connection.execute(insert(deliveries).values(_delivery(self.case.job, now_s)))

    def _save_job(self) -> None:
        old, new = job_values(self._job), job_values(self.case.job)
        changes = {name: value for name, value in new.items() if old[name] != value}
        if changes:
            self._connection.execute(_UPDATE_JOB, {"the_id": self._job.id, **changes})

    def _save_tasks(self, token: str | None) -> None:
        added = [task_values(self.case.task(*key)) for key in sorted(self.case.added)]
        if added:
            self._connection.execute(insert(tasks), added)
        changed = [self.case.task(*key) for key in sorted(self.case.changed - self.case.added)]
        keeping = [task for task in changed if task.state is TaskState.LEASED and token is None]
        self._update(keeping, {"token"}, None)
        self._update([task for task in changed if task not in keeping], set(), token)

    def _update(self, work: list[Task], without: set[str], token: str | None) -> None:
        """Write tasks, but for some columns, all with one statement."""
        rows = [task_values(task, token=token) for task in work]
        if rows:
            self._connection.execute(
                _UPDATE_TASK,
                [
                    {f"the_{name}": value for name, value in row.items() if name in _KEY}
                    | {k: v for k, v in row.items() if k not in _KEY and k not in without}
                    for row in rows
                ],
            )


class _StoredTasks:
    """The tasks of a job in a transaction; see `OtherTasks`."""

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection = connection
        self._job_id = job_id

    def one(self, kind: TaskKind, number: int) -> Task:
        """Read a task."""
        row = self._connection.execute(
            select(tasks).where(
                tasks.c.job_id == self._job_id,
                tasks.c.kind == kind.value,
                tasks.c.number == number,
            )
        ).one()
        return task_from_row(row)

    def all(self) -> list[Task]:
        """Read all of them."""
        return load_tasks(self._connection, self._job_id)


def load_job(connection: Connection, job_id: str) -> Job:
    """Read a job.

    Raises:
        UnknownJobError: There is none.
    """
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise UnknownJobError(f"no job {job_id!r}")
    return job_from_row(row)


def load_tasks(connection: Connection, job_id: str) -> list[Task]:
    """Read the tasks of a job, in any order."""
    rows = connection.execute(select(tasks).where(tasks.c.job_id == job_id))
    return [task_from_row(row) for row in rows]


def hold_job(connection: Connection, job_id: str) -> Job:
    """Read a job that nobody else changes, nor anything of it, until the transaction ends.

    Raises:
        UnknownJobError: There is none.
    """
    row = connection.execute(_HOLD_JOB, {"the_id": job_id}).one_or_none()
    if row is None:
        raise UnknownJobError(f"no job {job_id!r}")
    return job_from_row(row)


def insert_job(
    connection: Connection, job: Job, work: Iterable[Task], key: IdempotencyKey | None
) -> None:
    """Write a new job with its tasks."""
    forget_usage(connection, now_s=job.created_at)
    connection.execute(insert(jobs).values(new_job_values(job)))
    connection.execute(insert(tasks), [task_values(task) for task in work])
    rows = [{"job_id": job.id, "name": k, "value": v} for k, v in job.spec.labels.items()]
    if rows:
        connection.execute(insert(labels), rows)
    if key is not None:
        connection.execute(
            insert(idempotency).values(
                owner=job.owner, key=key.key, digest=key.digest, job_id=job.id
            )
        )


def remove_job(connection: Connection, job_id: str) -> None:
    """Remove a job; the rows that belong to it go with it, but what it has used still counts."""
    keep_usage(connection, job_id)
    connection.execute(delete(jobs).where(jobs.c.id == job_id))


def _delivery(job: Job, now_s: float) -> dict[str, Any]:
    return {
        "id": str(uuid_utils.uuid7()),
        "job_id": job.id,
        "url": job.spec.webhook_url,
        "event": _ENDED[job.state],
        "attempts": 0,
        "next_at": now_s,
        "created_at": now_s,
    }
