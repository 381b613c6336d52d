"""Leases in the database: which task is next, who has it, and whose time is over."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select

from sightline.jobs import rules
from sightline.jobs.queues import QUEUED_KINDS, claim_order
from sightline.jobs.sql.cases import StoredCase, hold_job
from sightline.jobs.sql.locks import hold_name, writes_alone
from sightline.jobs.sql.rows import task_from_row, turn_of
from sightline.jobs.sql.schema import jobs, tasks
from sightline.jobs.states import JobState, Queue, TaskKind, TaskState
from sightline.jobs.store import Standing, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import ColumnElement, Connection

    from sightline.jobs.case import Case
    from sightline.jobs.model import Lease, Task

__all__ = [
    "Wanted",
    "end_leases",
    "expire_job",
    "held_task",
    "hold_oldest",
    "jobs_to_expire",
    "jobs_with_leases",
    "oldest_ready",
    "standing_of",
]

_LEASED = (
    # All leased tasks are looked at, which an index gives: no more than there are workers.
    tasks.c.queue.in_(sorted(queue.value for queue in Queue)),
    tasks.c.kind.in_(sorted(kind.value for kind in TaskKind)),
    tasks.c.state == TaskState.LEASED.value,
)
# What is asked for every chunk is put together once: that takes longer than to ask it.
_READY = (
    select(tasks)
    .where(
        tasks.c.queue == bindparam("of_queue"),
        tasks.c.state == TaskState.READY.value,
        or_(
            tasks.c.not_before <= bindparam("now_s"),
            tasks.c.not_before > bindparam("latest_s"),
        ),
    )
    .order_by(tasks.c.turn)
    .limit(1)
)
_READY_OF_JOB = _READY.where(tasks.c.turn.between(bindparam("first"), bindparam("last")))
_IS_OF_LEASE = (
    tasks.c.job_id == bindparam("of_job"),
    tasks.c.kind == bindparam("of_kind"),
    tasks.c.number == bindparam("of_number"),
    tasks.c.token == bindparam("of_token"),
)
_HELD = select(tasks).where(*_IS_OF_LEASE)
_STANDING = select(jobs.c.state, jobs.c.failure_code).join_from(jobs, tasks).where(*_IS_OF_LEASE)
_EXPIRING = sorted([JobState.SUCCEEDED.value, JobState.FAILED.value, JobState.CANCELED.value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which ready tasks a worker may be given.

    Attributes:
        kinds: Of these kinds.
        queues: In these queues, see `claim`; None: in all.
        now_s: Ready at this time.
        latest_s: Or not before a time that is later than this: the clock was set back.
    """

    kinds: Collection[TaskKind]
    queues: Sequence[Queue] | None
    now_s: float
    latest_s: float


def oldest_ready(connection: Connection, wanted: Wanted, job_id: str | None = None) -> Task | None:
    """Find the ready task of the oldest job: one seek in an index per queue.

    Args:
        connection: In a transaction.
        wanted: Which tasks.
        job_id: Only of this job.
    """
    for together in claim_order(wanted.queues):
        of_each = (_oldest_of(connection, queue, wanted, job_id) for queue in sorted(together))
        found = [task for task in of_each if task is not None]
        if found:
            return min(found, key=lambda task: (task.job_id, task.number))
    return None


def hold_oldest(connection: Connection, wanted: Wanted) -> tuple[StoredCase, Task] | None:
    """Hold the job of the oldest ready task, and read that; None if others were faster.

    Then other jobs are to be looked at in another transaction: none holds two of them.
    """
    # Who wants the same takes turns: all would wait for the same job, find nothing, and go on to
    # the next one together.
    hold_name(connection, "claim", *sorted(wanted.kinds), *(wanted.queues or ()))
    task = oldest_ready(connection, wanted)
    if task is None:
        return None
    try:
        job = hold_job(connection, task.job_id)
    except UnknownJobError:
        return None
    if not writes_alone(connection):
        task = oldest_ready(connection, replace(wanted, queues=[task.queue]), job.id)
    return None if task is None else (StoredCase(connection, job, [task]), task)


def _oldest_of(
    connection: Connection, queue: Queue, wanted: Wanted, job_id: str | None
) -> Task | None:
    there = {kind for of_queue, kind in QUEUED_KINDS if of_queue is queue}
    if there.isdisjoint(wanted.kinds):
        return None
    values: dict[str, Any] = {
        "of_queue": queue.value,
        "now_s": wanted.now_s,
        "latest_s": wanted.latest_s,
    }
    ready = _READY
    if job_id is not None:
        ready = _READY_OF_JOB
        values |= {"first": turn_of(job_id, 0), "last": turn_of(job_id, 9_999_999)}
    others = sorted(kind.value for kind in there.difference(wanted.kinds))
    if others:
        ready = ready.where(tasks.c.kind.not_in(others))
    row = connection.execute(ready, values).one_or_none()
    return None if row is None else task_from_row(row)


def held_task(connection: Connection, lease: Lease) -> tuple[StoredCase, Task] | None:
    """Hold the job of a lease, and read the task as it stands; None if the lease is lost."""
    try:
        job = hold_job(connection, lease.task.job_id)
    except UnknownJobError:
        return None
    row = connection.execute(_HELD, _values_of(lease)).one_or_none()
    if row is None:
        return None
    task = task_from_row(row)
    return StoredCase(connection, job, [task]), task


def standing_of(connection: Connection, lease: Lease) -> Standing:
    """Tell what who has a lease is to do; holds nothing."""
    row = connection.execute(_STANDING, _values_of(lease)).one_or_none()
    if row is None:
        return Standing.LOST
    return rules.standing(JobState(row.state), is_failing=row.failure_code is not None)


def jobs_with_leases(connection: Connection, condition: ColumnElement[bool]) -> list[str]:
    """Name the jobs of all leases that meet a condition."""
    rows = connection.execute(select(tasks.c.job_id).where(*_LEASED, condition).distinct())
    return sorted(row.job_id for row in rows)


def end_leases(
    connection: Connection,
    job_id: str,
    condition: ColumnElement[bool],
    rule: Callable[[Case, Task], None],
    *,
    now_s: float,
) -> list[TaskState]:
    """Let a rule end the leases of a job that meet a condition; return what became of the tasks."""
    try:
        job = hold_job(connection, job_id)
    except UnknownJobError:
        return []
    rows = connection.execute(
        select(tasks).where(*_LEASED, tasks.c.job_id == job_id, condition).order_by(tasks.c.number)
    )
    leased = [task_from_row(row) for row in rows]
    stored = StoredCase(connection, job, leased)
    for task in leased:
        rule(stored.case, task)
    stored.save(now_s=now_s)
    return [stored.case.task(task.kind, task.number).state for task in leased]


def jobs_to_expire(connection: Connection, *, now_s: float) -> list[str]:
    """Name the jobs whose results have been kept long enough."""
    rows = connection.execute(
        select(jobs.c.id).where(jobs.c.state.in_(_EXPIRING), jobs.c.expires_at <= now_s)
    )
    return sorted(row.id for row in rows)


def expire_job(connection: Connection, job_id: str, *, now_s: float) -> bool:
    """Move a job to `EXPIRED` if its time is still over."""
    try:
        job = hold_job(connection, job_id)
    except UnknownJobError:
        return False
    is_over = job.state.value in _EXPIRING and (job.expires_at or math.inf) <= now_s
    if is_over:
        stored = StoredCase(connection, job)
        rules.expire(stored.case)
        stored.save(now_s=now_s)
    return is_over


def _values_of(lease: Lease) -> dict[str, Any]:
    return {
        "of_job": lease.task.job_id,
        "of_kind": lease.task.kind.value,
        "of_number": lease.task.number,
        "of_token": lease.token,
    }
