"""Questions about many jobs at once; each is answered from an index."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from sightline.jobs.queues import TASK_GROUPS
from sightline.jobs.sql.rows import job_from_row, task_from_row
from sightline.jobs.sql.schema import jobs, labels, tasks
from sightline.jobs.states import JobState, Priority, Queue, TaskKind, TaskState
from sightline.jobs.store import TaskGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from enum import StrEnum

    from sqlalchemy import ColumnElement, Connection, Select

    from sightline.jobs.model import Job, Task
    from sightline.jobs.store import JobQuery

__all__ = [
    "chunks",
    "count_jobs",
    "list_jobs",
    "outstanding_tasks",
    "page",
    "queue_positions",
    "versions",
]

_ACTIVE = sorted(state.value for state in JobState if not state.terminal)
_BATCH = 1000  # databases take a limited number of values in a statement


def page(query: JobQuery) -> Select[Any]:
    """Select the jobs of a query, newest first."""
    statement = select(jobs).order_by(jobs.c.id.desc()).limit(query.limit)
    if query.owner is not None:
        statement = statement.where(jobs.c.owner == query.owner)
    if query.states:
        statement = statement.where(_is_one_of(jobs.c.state, query.states))
    if query.text:
        folded = query.text.casefold()
        statement = statement.where(jobs.c.source_folded.contains(folded, autoescape=True))
    if query.before is not None:
        statement = statement.where(jobs.c.id < query.before)
    if query.labels:
        statement = statement.where(jobs.c.id.in_(_labelled(query.labels)))
    return statement


def list_jobs(connection: Connection, query: JobQuery) -> list[Job]:
    """Read the jobs of a query, newest first."""
    return [job_from_row(row) for row in connection.execute(page(query))]


def count_jobs(connection: Connection, *, owner: str | None, active: bool) -> int:
    """Count the jobs that are not terminal, or all."""
    statement = select(func.count()).select_from(jobs)
    if owner is not None:
        statement = statement.where(jobs.c.owner == owner)
    if active:
        statement = statement.where(jobs.c.state.in_(_ACTIVE))
    return connection.execute(statement).scalar_one()


def chunks(connection: Connection, job_id: str, *, first: int, limit: int) -> list[Task]:
    """Read some of the chunks of a job, in order."""
    rows = connection.execute(
        select(tasks)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.kind == TaskKind.CHUNK.value,
            tasks.c.number >= first,
        )
        .order_by(tasks.c.number)
        .limit(limit)
    )
    return [task_from_row(row) for row in rows]


def versions(connection: Connection, job_ids: Iterable[str]) -> dict[str, int]:
    """Read the versions of those of the jobs that exist."""
    found: dict[str, int] = {}
    for batch in _batches(job_ids):
        rows = connection.execute(select(jobs.c.id, jobs.c.version).where(jobs.c.id.in_(batch)))
        found.update((row.id, row.version) for row in rows)
    return found


def queue_positions(connection: Connection, job_ids: Iterable[str]) -> dict[str, int]:
    """Count the queued jobs before each of those that are queued."""
    found: dict[str, int] = {}
    for batch in _batches(job_ids):
        found.update(_positions(connection, batch))
    return found


def _positions(connection: Connection, job_ids: list[str]) -> dict[str, int]:
    is_urgent = _is_queued(Priority.INTERACTIVE)
    urgent = connection.execute(select(func.count()).select_from(jobs).where(is_urgent))
    return _positions_of(connection, job_ids, Priority.INTERACTIVE, 0) | _positions_of(
        connection, job_ids, Priority.NORMAL, urgent.scalar_one()
    )


def _positions_of(
    connection: Connection, job_ids: list[str], priority: Priority, preferred: int
) -> dict[str, int]:
    """Count up to the first of them, and number the rest: to count is ten times as quick."""
    first, last = min(job_ids), max(job_ids)
    is_queued = _is_queued(priority)
    before = (
        preferred
        + connection.execute(
            select(func.count()).select_from(jobs).where(is_queued, jobs.c.id < first)
        ).scalar_one()
    )
    position = (func.row_number().over(order_by=jobs.c.id) - 1).label("position")
    queue = select(jobs.c.id, position).where(is_queued, jobs.c.id.between(first, last)).subquery()
    rows = connection.execute(select(queue).where(queue.c.id.in_(job_ids)))
    return {row.id: before + row.position for row in rows}


def outstanding_tasks(connection: Connection) -> dict[TaskGroup, int]:
    """Count the tasks that are ready or leased."""
    group = (tasks.c.queue, tasks.c.kind, tasks.c.state)
    rows = connection.execute(
        select(*group, func.count().label("number"))
        .where(
            _is_one_of(tasks.c.queue, Queue),
            _is_one_of(tasks.c.kind, TaskKind),
            _is_one_of(tasks.c.state, (TaskState.READY, TaskState.LEASED)),
        )
        .group_by(*group)
    )
    found = dict.fromkeys(TASK_GROUPS, 0)
    for row in rows:
        found[TaskGroup(Queue(row.queue), TaskKind(row.kind), row.state)] = row.number
    return found


def _labelled(wanted: Mapping[str, str]) -> Select[tuple[str]]:
    """Select the ids of the jobs with all of these labels.

    They are counted, in one subquery: with one for each label, PostgreSQL takes seconds to plan.
    """
    each = [and_(labels.c.name == name, labels.c.value == value) for name, value in wanted.items()]
    found = select(labels.c.job_id).where(or_(*each))
    if len(each) == 1:
        return found
    return found.group_by(labels.c.job_id).having(func.count() == len(each))


def _is_queued(priority: Priority) -> ColumnElement[bool]:
    return and_(jobs.c.state == JobState.QUEUED.value, jobs.c.priority == priority.value)


def _is_one_of(column: ColumnElement[str], values: Iterable[StrEnum]) -> ColumnElement[bool]:
    return column.in_(sorted(value.value for value in values))


def _batches(job_ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(job_ids)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
