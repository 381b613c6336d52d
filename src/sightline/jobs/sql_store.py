"""The store of jobs in a SQL database; the rules are those of `jobs.rules`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from sightline.jobs import rules
from sightline.jobs.case import Case
from sightline.jobs.model import Lease
from sightline.jobs.sql import listing
from sightline.jobs.sql.cases import (
    StoredCase,
    hold_job,
    insert_job,
    load_job,
    load_tasks,
    remove_job,
)
from sightline.jobs.sql.leases import (
    Wanted,
    end_leases,
    expire_job,
    held_task,
    hold_oldest,
    jobs_to_expire,
    jobs_with_leases,
    oldest_ready,
    standing_of,
)
from sightline.jobs.sql.locks import hold_name
from sightline.jobs.sql.schema import idempotency as idempotency_keys
from sightline.jobs.sql.schema import tasks
from sightline.jobs.states import TaskKind, TaskState
from sightline.jobs.store import (
    IdempotencyConflictError,
    JobStateError,
    Standing,
    Swept,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from sightline.jobs.model import Failure, Job, Task
    from sightline.jobs.sql.database import Database
    from sightline.jobs.states import Queue
    from sightline.jobs.store import (
        ChunkDone,
        Finalized,
        IdempotencyKey,
        Ingested,
        JobQuery,
        LeasePolicy,
        LeaseReport,
        TaskGroup,
    )

__all__ = ["SqlJobStore"]


class SqlJobStore:
    """Keeps jobs and tasks in a database, whose tables must be up to date; see `JobStore`.

    Args:
        database: Where; any number of stores in any number of processes may share it. It is closed
            with the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job, *, idempotency: IdempotencyKey | None = None) -> Job:
        """Accept a job; a repeated submission returns the job that exists."""
        with self._database.write(durable=True) as connection:
            if idempotency is not None:
                hold_name(connection, "idempotency", job.owner, idempotency.key)
                known = _submitted_before(connection, job.owner, idempotency)
                if known is not None:
                    return known
            insert_job(connection, job, rules.first_tasks(job), idempotency)
            return job

    def get(self, job_id: str) -> Job:
        """Give a job."""
        with self._database.ask() as connection:
            return load_job(connection, job_id)

    def list(self, query: JobQuery) -> Sequence[Job]:
        """List jobs, newest first."""
        with self._database.read() as connection:
            return listing.list_jobs(connection, query)

    def count(self, *, owner: str | None = None, active: bool = True) -> int:
        """Count the jobs that are not terminal, or all."""
        with self._database.read() as connection:
            return listing.count_jobs(connection, owner=owner, active=active)

    def versions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Give the versions of those of the jobs that exist."""
        with self._database.read() as connection:
            return listing.versions(connection, job_ids)

    def change_count(self) -> int | None:
        """Tell whether anything has changed since the last call; None over PostgreSQL."""
        return self._database.change_count()

    def queue_positions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Tell of the queued ones among the jobs how many queued jobs are before each."""
        with self._database.read() as connection:
            return listing.queue_positions(connection, job_ids)

    def tasks(self, job_id: str) -> Sequence[Task]:
        """List the tasks of a job: ingest, the chunks in order, the final pass."""
        with self._database.read() as connection:
            return Case(load_job(connection, job_id), load_tasks(connection, job_id)).tasks

    def chunks(self, job_id: str, *, first: int, limit: int) -> Sequence[Task]:
        """List some of the chunks of a job, in order."""
        with self._database.ask() as connection:
            return listing.chunks(connection, job_id, first=first, limit=limit)

    def outstanding(self) -> dict[TaskGroup, int]:
        """Count the tasks that are ready or leased, for scaling."""
        with self._database.read() as connection:
            return listing.outstanding_tasks(connection)

    def claim(
        self,
        kinds: Iterable[TaskKind],
        *,
        worker: str,
        policy: LeasePolicy,
        now_s: float,
        queues: Sequence[Queue] | None = None,
    ) -> Lease | None:
        """Lease a task of one of these kinds; None if none is ready."""
        latest_s = now_s + policy.longest_s
        wanted = Wanted(kinds=frozenset(kinds), queues=queues, now_s=now_s, latest_s=latest_s)
        while self._is_ready(wanted):
            with self._database.write() as connection:
                held = hold_oldest(connection, wanted)
                if held is not None:
                    stored, task = held
                    rules.claim(stored.case, task, worker=worker, policy=policy, now_s=now_s)
                    return _leased(stored, task, now_s)
        return None

    def _is_ready(self, wanted: Wanted) -> bool:
        """Say whether there is anything to claim; idle workers ask often, and hold nobody up."""
        with self._database.ask() as connection:
            return oldest_ready(connection, wanted) is not None

    def claim_chunk(
        self, job_id: str, *, worker: str, policy: LeasePolicy, now_s: float
    ) -> Lease | None:
        """Lease the first ready chunk of a job; None if none is ready."""
        kinds, latest_s = frozenset({TaskKind.CHUNK}), now_s + policy.longest_s
        wanted = Wanted(kinds=kinds, queues=None, now_s=now_s, latest_s=latest_s)
        with self._database.write() as connection:
            job = hold_job(connection, job_id)
            task = oldest_ready(connection, wanted, job_id)
            if task is None:
                return None
            stored = StoredCase(connection, job, [task])
            rules.claim(stored.case, task, worker=worker, policy=policy, now_s=now_s)
            return _leased(stored, task, now_s)

    def renew(
        self, lease: Lease, report: LeaseReport, *, policy: LeasePolicy, now_s: float
    ) -> Standing:
        """Renew a lease, note the progress, and hear what to do."""
        with self._database.write() as connection:
            held = held_task(connection, lease)
            if held is None:
                return Standing.LOST
            stored, task = held
            standing = rules.renew(stored.case, task, report, policy=policy, now_s=now_s)
            stored.save(now_s=now_s)
            return standing

    def standing(self, lease: Lease) -> Standing:
        """Hear what to do; changes nothing."""
        with self._database.ask() as connection:
            return standing_of(connection, lease)

    def finish_ingest(self, lease: Lease, done: Ingested, *, now_s: float) -> bool:
        """Note that the video is there; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, task: Task) -> None:
            rules.finish_ingest(case, task, done, token=lease.token, now_s=now_s)

        return self._end_lease(lease, rule, now_s)

    def finish_chunk(self, lease: Lease, done: ChunkDone, *, now_s: float) -> bool:
        """Note that a chunk is done; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, task: Task) -> None:
            rules.finish_chunk(case, task, done, token=lease.token, now_s=now_s)

        return self._end_lease(lease, rule, now_s)

    def finish_final(
        self, lease: Lease, done: Finalized, *, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that the final pass is done; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, _: Task) -> None:
            rules.finish_final(case, done, token=lease.token, policy=policy, now_s=now_s)

        # Clients hear of the end, and what only an unfinished job needs is removed at once.
        return self._end_lease(lease, rule, now_s, durable=True)

    def fail(
        self, lease: Lease, failure: Failure, *, again: bool, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that an attempt failed; `again`: it is worth another one, if any is left."""
        fail = rules.try_again if again else rules.fail

        def rule(case: Case, task: Task) -> None:
            fail(case, task, failure, policy=policy, now_s=now_s)

        return self._end_lease(lease, rule, now_s)

    def fail_final(
        self,
        lease: Lease,
        failure: Failure,
        left: Finalized,
        *,
        policy: LeasePolicy,
        now_s: float,
    ) -> bool:
        """Note that a final pass failed for good, and the results that it has left."""

        def rule(case: Case, task: Task) -> None:
            kept = rules.keep(case, task, left)
            rules.fail(case, kept, failure, policy=policy, now_s=now_s)

        return self._end_lease(lease, rule, now_s)

    def release(self, lease: Lease, *, policy: LeasePolicy, now_s: float) -> bool:  # noqa: ARG002
        """Give a lease back unharmed: the attempt does not count."""

        def rule(case: Case, task: Task) -> None:
            rules.give_back(case, task, now_s=now_s)

        return self._end_lease(lease, rule, now_s)

    def forfeit(
        self, workers: Iterable[str], *, counted: bool, policy: LeasePolicy, now_s: float
    ) -> int:
        """End the leases of workers that died, at once; `counted`: as attempts. Return how many."""

        def rule(case: Case, task: Task) -> None:
            if counted:
                rules.try_again(case, task, rules.WORKER_LOST, policy=policy, now_s=now_s)
            else:
                rules.give_back(case, task, now_s=now_s)

        return len(self._end_leases(tasks.c.worker.in_([*workers]), rule, now_s))

    def sweep(self, *, policy: LeasePolicy, now_s: float) -> Swept:
        """End the leases whose time is over; move jobs whose time is over to `EXPIRED`."""

        def rule(case: Case, task: Task) -> None:
            rules.try_again(case, task, rules.WORKER_LOST, policy=policy, now_s=now_s)

        expired = self._expire(now_s)
        latest_s = now_s + policy.longest_s
        is_over = or_(tasks.c.leased_until <= now_s, tasks.c.leased_until > latest_s)
        ended = self._end_leases(is_over, rule, now_s)
        return Swept(
            requeued=ended.count(TaskState.READY),
            failed=ended.count(TaskState.FAILED),
            expired=expired,
        )

    def cancel(self, job_id: str, *, policy: LeasePolicy, now_s: float) -> Job:
        """Cancel a job; does nothing if it is canceling or canceled."""
        with self._database.write() as connection:
            stored = StoredCase(connection, hold_job(connection, job_id))
            rules.cancel(stored.case, policy=policy, now_s=now_s)
            stored.save(now_s=now_s)
            return stored.case.job

    def retry(self, job_id: str, *, now_s: float) -> Job:
        """Queue a failed or canceled job again; what is finished stays finished."""
        with self._database.write(durable=True) as connection:
            stored = StoredCase(connection, hold_job(connection, job_id))
            rules.retry(stored.case)
            stored.save(now_s=now_s)
            return stored.case.job

    def delete(self, job_id: str) -> None:
        """Remove a terminal job with all its rows."""
        with self._database.write(durable=True) as connection:
            job = hold_job(connection, job_id)
            if not job.state.terminal:
                raise JobStateError(f"job {job_id} is {job.state}: cancel it before it is deleted")
            remove_job(connection, job_id)

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    def _end_lease(
        self,
        lease: Lease,
        rule: Callable[[Case, Task], None],
        now_s: float,
        *,
        durable: bool = False,
    ) -> bool:
        """Let a rule end a lease; False if it is lost."""
        with self._database.write(durable=durable) as connection:
            held = held_task(connection, lease)
            if held is None:
                return False
            stored, task = held
            rule(stored.case, task)
            stored.save(now_s=now_s)
            return True

    def _end_leases(
        self, condition: ColumnElement[bool], rule: Callable[[Case, Task], None], now_s: float
    ) -> Sequence[TaskState]:
        """Let a rule end leases, one job after the other; return what became of the tasks."""
        with self._database.read() as connection:
            job_ids = jobs_with_leases(connection, condition)
        ended = []
        for job_id in job_ids:
            with self._database.write() as connection:
                ended += end_leases(connection, job_id, condition, rule, now_s=now_s)
        return ended

    def _expire(self, now_s: float) -> tuple[str, ...]:
        with self._database.read() as connection:
            job_ids = jobs_to_expire(connection, now_s=now_s)
        expired = []
        for job_id in job_ids:
            with self._database.write() as connection:
                if expire_job(connection, job_id, now_s=now_s):
                    expired.append(job_id)
        return tuple(expired)


def _leased(stored: StoredCase, task: Task, now_s: float) -> Lease:
    token = secrets.token_hex(8)
    stored.save(now_s=now_s, token=token)
    case = stored.case
    return Lease(token=token, task=case.task(task.kind, task.number), job=case.job)


def _submitted_before(connection: Connection, owner: str, key: IdempotencyKey) -> Job | None:
    row = connection.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.owner == owner, idempotency_keys.c.key == key.key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.digest != key.digest:
        raise IdempotencyConflictError(
            f"the idempotency key {key.key!r} came with another request before: choose a new one"
        )
    return load_job(connection, row.job_id)
