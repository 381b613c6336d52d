"""A store of jobs in memory, for tests of what uses one."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from typing import TYPE_CHECKING

from sightline.jobs import rules
from sightline.jobs.case import Case
from sightline.jobs.model import Lease
from sightline.jobs.queues import TASK_GROUPS, claim_order
from sightline.jobs.states import JobState, Priority, TaskKind, TaskState
from sightline.jobs.store import (
    IdempotencyConflictError,
    JobStateError,
    Standing,
    Swept,
    TaskGroup,
    UnknownJobError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sightline.jobs.case import TaskKey
    from sightline.jobs.model import Failure, Job, Task
    from sightline.jobs.states import Queue
    from sightline.jobs.store import (
        ChunkDone,
        Finalized,
        IdempotencyKey,
        Ingested,
        JobQuery,
        LeasePolicy,
        LeaseReport,
    )

__all__ = ["MemoryJobStore"]


class MemoryJobStore:
    """Keeps jobs and tasks in memory; see `JobStore`. Safe to use by all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, dict[TaskKey, Task]] = {}
        self._tokens: dict[tuple[str, TaskKey], str] = {}
        self._submitted: dict[tuple[str, str], tuple[str, str]] = {}

    def add(self, job: Job, *, idempotency: IdempotencyKey | None = None) -> Job:
        """Accept a job; a repeated submission returns the job that exists."""
        with self._lock:
            if idempotency is not None:
                place = (job.owner, idempotency.key)
                digest, job_id = self._submitted.setdefault(place, (idempotency.digest, job.id))
                if digest != idempotency.digest:
                    raise IdempotencyConflictError(
                        f"the idempotency key {idempotency.key!r} came with another request before"
                    )
                if job_id in self._jobs:
                    return self._jobs[job_id]
            self._jobs[job.id] = job
            self._tasks[job.id] = {
                (task.kind, task.number): task for task in rules.first_tasks(job)
            }
            return job

    def get(self, job_id: str) -> Job:
        """Give a job."""
        with self._lock:
            return self._job(job_id)

    def list(self, query: JobQuery) -> Sequence[Job]:
        """List jobs, newest first."""
        with self._lock:
            found = (job for _, job in sorted(self._jobs.items(), reverse=True))
            return [job for job in found if _fits(job, query)][: query.limit]

    def count(self, *, owner: str | None = None, active: bool = True) -> int:
        """Count the jobs that are not terminal, or all."""
        with self._lock:
            return sum(
                owner in (None, job.owner) and not (active and job.state.terminal)
                for job in self._jobs.values()
            )

    def versions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Give the versions of those of the jobs that exist."""
        with self._lock:
            return {key: self._jobs[key].version for key in job_ids if key in self._jobs}

    def change_count(self) -> int | None:
        """Tell nothing."""
        return None

    def queue_positions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Tell of the queued ones among the jobs how many queued jobs are before each."""
        with self._lock:
            queued = [job for job in self._jobs.values() if job.state is JobState.QUEUED]
            queued.sort(key=lambda job: (job.spec.priority is Priority.NORMAL, job.id))
            positions = {job.id: position for position, job in enumerate(queued)}
            return {key: positions[key] for key in job_ids if key in positions}

    def tasks(self, job_id: str) -> Sequence[Task]:
        """List the tasks of a job: ingest, the chunks in order, the final pass."""
        with self._lock:
            return self._case(job_id).tasks

    def chunks(self, job_id: str, *, first: int, limit: int) -> Sequence[Task]:
        """List some of the chunks of a job, in order."""
        with self._lock:
            tasks = self._tasks.get(job_id, {})
            found = (tasks.get((TaskKind.CHUNK, n)) for n in range(first, first + limit))
            return [task for task in found if task is not None]

    def outstanding(self) -> dict[TaskGroup, int]:
        """Count the tasks that are ready or leased, for scaling."""
        with self._lock:
            groups = (TaskGroup(t.queue, t.kind, t.state.value) for t in self._all_tasks())
            counted = Counter(groups)
            return {group: counted[group] for group in TASK_GROUPS}

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
        wanted = set(kinds)
        with self._lock:
            ready = [task for task in self._ready(policy, now_s) if task.kind in wanted]
            task = _next_of(ready, queues)
            if task is None:
                return None
            return self._leased(task, worker=worker, policy=policy, now_s=now_s)

    def claim_chunk(
        self, job_id: str, *, worker: str, policy: LeasePolicy, now_s: float
    ) -> Lease | None:
        """Lease the first ready chunk of a job; None if none is ready."""
        with self._lock:
            self._case(job_id)
            ready = [
                task
                for task in self._ready(policy, now_s)
                if task.job_id == job_id and task.kind is TaskKind.CHUNK
            ]
            task = _next_of(ready, None)
            if task is None:
                return None
            return self._leased(task, worker=worker, policy=policy, now_s=now_s)

    def _ready(self, policy: LeasePolicy, now_s: float) -> tuple[Task, ...]:
        latest_s = now_s + policy.longest_s
        return tuple(
            task
            for task in self._all_tasks()
            if task.state is TaskState.READY and not now_s < task.not_before <= latest_s
        )

    def _leased(self, task: Task, *, worker: str, policy: LeasePolicy, now_s: float) -> Lease:
        case = self._case(task.job_id)
        rules.claim(case, task, worker=worker, policy=policy, now_s=now_s)
        token = secrets.token_hex(8)
        self._tokens[task.job_id, (task.kind, task.number)] = token
        self._save(case)
        return Lease(token=token, task=case.task(task.kind, task.number), job=case.job)

    def renew(
        self, lease: Lease, report: LeaseReport, *, policy: LeasePolicy, now_s: float
    ) -> Standing:
        """Renew a lease, note the progress, and hear what to do."""
        standing = Standing.LOST

        def rule(case: Case, task: Task) -> None:
            nonlocal standing
            standing = rules.renew(case, task, report, policy=policy, now_s=now_s)

        self._with_lease(lease, rule)
        return standing

    def standing(self, lease: Lease) -> Standing:
        """Hear what to do; changes nothing."""
        task = lease.task
        with self._lock:
            if self._tokens.get((task.job_id, (task.kind, task.number))) != lease.token:
                return Standing.LOST
            job = self._jobs[task.job_id]
            return rules.standing(job.state, is_failing=job.failure is not None)

    def finish_ingest(self, lease: Lease, done: Ingested, *, now_s: float) -> bool:
        """Note that the video is there; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, task: Task) -> None:
            rules.finish_ingest(case, task, done, token=lease.token, now_s=now_s)

        return self._with_lease(lease, rule)

    def finish_chunk(self, lease: Lease, done: ChunkDone, *, now_s: float) -> bool:
        """Note that a chunk is done; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, task: Task) -> None:
            rules.finish_chunk(case, task, done, token=lease.token, now_s=now_s)

        return self._with_lease(lease, rule)

    def finish_final(
        self, lease: Lease, done: Finalized, *, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that the final pass is done; False if the lease is lost, and nothing was noted."""

        def rule(case: Case, _: Task) -> None:
            rules.finish_final(case, done, token=lease.token, policy=policy, now_s=now_s)

        return self._with_lease(lease, rule)

    def fail(
        self, lease: Lease, failure: Failure, *, again: bool, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that an attempt failed; `again`: it is worth another one, if any is left."""
        fail = rules.try_again if again else rules.fail

        def rule(case: Case, task: Task) -> None:
            fail(case, task, failure, policy=policy, now_s=now_s)

        return self._with_lease(lease, rule)

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

        return self._with_lease(lease, rule)

    def release(self, lease: Lease, *, policy: LeasePolicy, now_s: float) -> bool:  # noqa: ARG002
        """Give a lease back unharmed: the attempt does not count."""

        def rule(case: Case, task: Task) -> None:
            rules.give_back(case, task, now_s=now_s)

        return self._with_lease(lease, rule)

    def forfeit(
        self, workers: Iterable[str], *, counted: bool, policy: LeasePolicy, now_s: float
    ) -> int:
        """End the leases of workers that died, at once; `counted`: as attempts. Return how many."""
        dead = set(workers)

        def rule(case: Case, task: Task) -> None:
            if counted:
                rules.try_again(case, task, rules.WORKER_LOST, policy=policy, now_s=now_s)
            else:
                rules.give_back(case, task, now_s=now_s)

        with self._lock:
            return len(self._end_leases(lambda task: task.worker in dead, rule))

    def sweep(self, *, policy: LeasePolicy, now_s: float) -> Swept:
        """End the leases whose time is over; move jobs whose time is over to `EXPIRED`."""

        def rule(case: Case, task: Task) -> None:
            rules.try_again(case, task, rules.WORKER_LOST, policy=policy, now_s=now_s)

        with self._lock:
            expired = self._expire(now_s)
            latest_s = now_s + policy.longest_s
            ended = self._end_leases(
                lambda task: not now_s < (task.leased_until or 0.0) <= latest_s, rule
            )
            return Swept(
                requeued=ended.count(TaskState.READY),
                failed=ended.count(TaskState.FAILED),
                expired=expired,
            )

    def cancel(self, job_id: str, *, policy: LeasePolicy, now_s: float) -> Job:
        """Cancel a job; does nothing if it is canceling or canceled."""
        with self._lock:
            case = self._case(job_id)
            rules.cancel(case, policy=policy, now_s=now_s)
            return self._save(case)

    def retry(self, job_id: str, *, now_s: float) -> Job:  # noqa: ARG002
        """Queue a failed or canceled job again; what is finished stays finished."""
        with self._lock:
            case = self._case(job_id)
            rules.retry(case)
            return self._save(case)

    def delete(self, job_id: str) -> None:
        """Remove a terminal job with everything of it."""
        with self._lock:
            job = self._job(job_id)
            if not job.state.terminal:
                raise JobStateError(f"job {job_id} is {job.state}: cancel it before it is deleted")
            del self._jobs[job_id]
            for key in self._tasks.pop(job_id):
                self._tokens.pop((job_id, key), None)
            self._submitted = {k: v for k, v in self._submitted.items() if v[1] != job_id}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _job(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise UnknownJobError(f"no job {job_id!r}")
        return self._jobs[job_id]

    def _case(self, job_id: str) -> Case:
        return Case(self._job(job_id), self._tasks[job_id].values())

    def _all_tasks(self) -> Iterable[Task]:
        return (task for tasks in self._tasks.values() for task in tasks.values())

    def _save(self, case: Case) -> Job:
        job_id = case.job.id
        self._jobs[job_id] = case.job
        for key in case.changed:
            self._tasks[job_id][key] = case.task(*key)
            if case.task(*key).state is not TaskState.LEASED:
                self._tokens.pop((job_id, key), None)
        return case.job

    def _with_lease(self, lease: Lease, rule: Callable[[Case, Task], None]) -> bool:
        """Apply a rule to the task of a lease; False if the lease is lost."""
        job_id, key = lease.task.job_id, (lease.task.kind, lease.task.number)
        with self._lock:
            if self._tokens.get((job_id, key)) != lease.token:
                return False
            case = self._case(job_id)
            rule(case, case.task(*key))
            self._save(case)
            return True

    def _end_leases(
        self, is_over: Callable[[Task], bool], rule: Callable[[Case, Task], None]
    ) -> Sequence[TaskState]:
        """Apply a rule to all leased tasks of a kind; return what became of them."""
        ended = []
        for job_id, tasks in self._tasks.items():
            case = self._case(job_id)
            for key, task in tasks.items():
                if task.state is TaskState.LEASED and is_over(task):
                    rule(case, case.task(*key))
                    ended.append(case.task(*key).state)
            self._save(case)
        return ended

    def _expire(self, now_s: float) -> tuple[str, ...]:
        over = sorted(
            job.id
            for job in self._jobs.values()
            if job.state.terminal
            and job.state is not JobState.EXPIRED
            and job.expires_at is not None
            and job.expires_at <= now_s
        )
        for job_id in over:
            case = self._case(job_id)
            rules.expire(case)
            self._save(case)
        return tuple(over)


def _next_of(ready: Sequence[Task], queues: Sequence[Queue] | None) -> Task | None:
    for together in claim_order(queues):
        found = [task for task in ready if task.queue in together]
        if found:
            return min(found, key=lambda task: (task.job_id, task.number))
    return None


def _fits(job: Job, query: JobQuery) -> bool:
    return (
        query.owner in (None, job.owner)
        and (not query.states or job.state in query.states)
        and query.labels.items() <= job.spec.labels.items()
        and query.text.casefold() in job.spec.source_name.casefold()
        and (query.before is None or job.id < query.before)
    )
