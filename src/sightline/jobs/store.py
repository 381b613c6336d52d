"""Where jobs are kept: the protocol of stores, whose rows alone are the truth.

All methods may be called by any thread and process; each is one transaction, but for `forfeit` and
`sweep`, which make one per job. `now_s` is the wall clock of the caller, so that tests can choose
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sightline.jobs.model import Failure, Job, Lease, Span, Task, VideoFacts
    from sightline.jobs.states import JobState, Queue, TaskKind

__all__ = [
    "ChunkDone",
    "Finalized",
    "IdempotencyConflictError",
    "IdempotencyKey",
    "Ingested",
    "JobQuery",
    "JobStateError",
    "JobStore",
    "LeasePolicy",
    "LeaseReport",
    "Standing",
    "Swept",
    "TaskGroup",
    "UnknownJobError",
]


class UnknownJobError(SightlineError, KeyError):
    """There is no job of that id."""


class JobStateError(SightlineError, ValueError):
    """The job is in a state in which this cannot be done."""


class IdempotencyConflictError(SightlineError, ValueError):
    """The same idempotency key came with another request before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What makes a repeated submission the same job.

    Attributes:
        key: As the client chose it; unique per owner.
        digest: Of the request; another one under the same key is a conflict.
    """

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs to list, newest first.

    Attributes:
        owner: Only of this owner; None: of all.
        states: Only in these; empty: in any.
        labels: Only with all of these.
        text: Only with this in the source's name, in any case.
        before: Only jobs older than this one (a job's id); None: from the newest.
        limit: At most so many.
    """

    owner: str | None = None
    states: frozenset[JobState] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePolicy:
    """When work is given up.

    Attributes:
        lease_s: A lease ends so long after it was given or renewed.
        max_attempts: A task that was begun this often without success fails for good.
        retry_delay_s: Wait so long before a failed task is begun again; doubled each time.
        keep_s: Results of a finished job are removed after this long; None: never.
    """

    lease_s: float = 30.0
    max_attempts: int = 3
    retry_delay_s: float = 1.0
    keep_s: float | None = 30 * 86400.0

    @property
    def longest_s(self) -> float:
        """Leases and pauses that end later than so long after now are of a clock that was set back.

        >>> LeasePolicy(lease_s=30.0).longest_s
        60.0
        """
        return 2 * max(self.lease_s, self.retry_delay_s * 2.0**self.max_attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseReport:
    """What a worker says when it renews its lease.

    Attributes:
        frames_done: Frames of the task that are done.
        bytes_done: Ingest: bytes of the video that were fetched.
        bytes_total: Ingest: how many there will be; None where unknown.
    """

    frames_done: int = 0
    bytes_done: int = 0
    bytes_total: int | None = None


class Standing(Enum):
    """What a worker is to do about the task that it has."""

    GO_ON = "go on"
    WRAP_UP = "the job is canceled or failing: keep what is finished, and end"
    LOST = "the lease is gone: end, and write nothing more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What ingest yields.

    Attributes:
        video: What is known of it.
        spans: The chunks in the order of the video; empty if the pipeline has no stages that can
            be done in chunks, so that the final pass does everything.
        warnings: For the client.
    """

    video: VideoFacts
    spans: Sequence[Span] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDone:
    """What a chunk yields; its result lies in the file that the lease's token names.

    Attributes:
        frames: How many frames it owned, results, drops and failures alike.
        warnings: For the client.
    """

    frames: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """What the final pass yields.

    Attributes:
        frames: Frames that went through it.
        partial: They are the beginning of the video only.
        summary: For the client; JSON.
        warnings: For the client.
        failure: What ended it early; the results are those of the frames before.
        keeps_older: Results of as many frames were there, and stay: of these, `partial` and
            `summary` say nothing.
    """

    frames: int
    partial: bool = False
    summary: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    failure: Exception | None = None
    keeps_older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did.

    Attributes:
        requeued: Tasks whose lease had ended, and which are ready again.
        failed: Tasks whose lease had ended for the last time.
        expired: Jobs whose results are to be removed now.
    """

    requeued: int = 0
    failed: int = 0
    expired: Sequence[str] = ()


class TaskGroup(NamedTuple):
    """Which tasks are counted together.

    Attributes:
        queue: Where they wait.
        kind: What they are.
        state: "ready" or "leased".
    """

    queue: Queue
    kind: TaskKind
    state: str


class JobStore(Protocol):
    """Keeps jobs and tasks.

    How it decides:

    - A new job has an ingest task, `READY`, and a final pass, `WAITING`.
    - `claim` gives the ready task of the oldest job (by id; among its tasks by number) whose
      `not_before` has come, or is so far off that the clock must have been set back; interactive
      jobs come before all others. The first claim of a job moves it from `QUEUED` to `RUNNING`. A
      worker that serves some queues only gets the oldest task of the first of them that has any.
    - `finish_ingest` makes the chunks, all `READY`. If there are none, the final pass is `READY`
      at once, and the job `FINALIZING`; otherwise the final pass is `READY` when chunk 0 is done.
    - When the last chunk is done, the job is `FINALIZING`.
    - When a task fails for good, its job gets the failure, and tasks that are not leased are
      `CANCELED`, but for a final pass that is ready or leased: that is to wrap up what is finished,
      and the job is `FINALIZING` until it has. Otherwise the job is `FAILED` at once.
    - `cancel` works the same with `CANCELING` and `CANCELED`; leased tasks hear `WRAP_UP` from
      `renew`, and `release`, `fail` or finish; the job is `CANCELED` when the last lease is gone.
      A final pass that is ready but not leased is then canceled, too.
    - A job whose final pass finishes is `CANCELED` if it was canceling, `FAILED` if it has a
      failure, and otherwise `SUCCEEDED`.
    """

    def add(self, job: Job, *, idempotency: IdempotencyKey | None = None) -> Job:
        """Accept a job; a repeated submission returns the job that exists.

        Raises:
            IdempotencyConflictError: The key came with another request before.
        """

    def get(self, job_id: str) -> Job:
        """Give a job.

        Raises:
            UnknownJobError: There is none.
        """

    def list(self, query: JobQuery) -> Sequence[Job]:
        """List jobs, newest first."""

    def count(self, *, owner: str | None = None, active: bool = True) -> int:
        """Count the jobs that are not terminal, or all."""

    def versions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Give the versions of those of the jobs that exist."""

    def change_count(self) -> int | None:
        """Tell whether anything has changed since the last call, by whomever: then so has this.

        Takes microseconds and waits for nothing; always from one thread. None: this store cannot
        tell.
        """

    def queue_positions(self, job_ids: Iterable[str]) -> dict[str, int]:
        """Tell of the queued ones among the jobs how many queued jobs are before each.

        Interactive ones are before all others.
        """

    def tasks(self, job_id: str) -> Sequence[Task]:
        """List the tasks of a job: ingest, the chunks in order, the final pass.

        Raises:
            UnknownJobError: There is no such job.
        """

    def chunks(self, job_id: str, *, first: int, limit: int) -> Sequence[Task]:
        """List some of the chunks of a job, in order; none if there is no such job.

        Args:
            job_id: The job.
            first: From this number on.
            limit: At most so many.
        """

    def outstanding(self) -> dict[TaskGroup, int]:
        """Count the tasks that are ready or leased, for scaling; every group that can be is there.

        Tasks whose `not_before` has not come count as ready.
        """

    def claim(
        self,
        kinds: Iterable[TaskKind],
        *,
        worker: str,
        policy: LeasePolicy,
        now_s: float,
        queues: Sequence[Queue] | None = None,
    ) -> Lease | None:
        """Lease a task of one of these kinds; None if none is ready.

        Args:
            kinds: What the worker can do.
            worker: Who it is.
            policy: When work is given up.
            now_s: Seconds since 1970.
            queues: Only tasks of these, those of the first one first; None: of all queues, with
                interactive jobs first, and the rest by the age of their jobs alone.
        """

    def claim_chunk(
        self, job_id: str, *, worker: str, policy: LeasePolicy, now_s: float
    ) -> Lease | None:
        """Lease the first ready chunk of a job; None if none is ready.

        Raises:
            UnknownJobError: There is no such job.
        """

    def renew(
        self, lease: Lease, report: LeaseReport, *, policy: LeasePolicy, now_s: float
    ) -> Standing:
        """Renew a lease, note the progress, and hear what to do."""

    def standing(self, lease: Lease) -> Standing:
        """Hear what to do, as from `renew`; changes nothing, and waits for nobody."""

    def finish_ingest(self, lease: Lease, done: Ingested, *, now_s: float) -> bool:
        """Note that the video is there; False if the lease is lost, and nothing was noted."""

    def finish_chunk(self, lease: Lease, done: ChunkDone, *, now_s: float) -> bool:
        """Note that a chunk is done; False if the lease is lost, and nothing was noted."""

    def finish_final(
        self, lease: Lease, done: Finalized, *, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that the final pass is done; False if the lease is lost, and nothing was noted."""

    def fail(
        self, lease: Lease, failure: Failure, *, again: bool, policy: LeasePolicy, now_s: float
    ) -> bool:
        """Note that an attempt failed; `again`: it is worth another one, if any is left."""

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

    def release(self, lease: Lease, *, policy: LeasePolicy, now_s: float) -> bool:
        """Give a lease back unharmed: the attempt does not count."""

    def forfeit(
        self, workers: Iterable[str], *, counted: bool, policy: LeasePolicy, now_s: float
    ) -> int:
        """End the leases of workers that died, at once; `counted`: as attempts. Return how many."""

    def sweep(self, *, policy: LeasePolicy, now_s: float) -> Swept:
        """End the leases whose time is over; move jobs whose time is over to `EXPIRED`.

        Leases that end later than any can are of a clock that was set back, and are over, too.
        """

    def cancel(self, job_id: str, *, policy: LeasePolicy, now_s: float) -> Job:
        """Cancel a job; does nothing if it is canceling or canceled.

        Raises:
            UnknownJobError: There is no such job.
            JobStateError: It has ended otherwise.
        """

    def retry(self, job_id: str, *, now_s: float) -> Job:
        """Queue a failed or canceled job again; what is finished stays finished.

        Ingest, chunks and the final pass that are not done begin anew, with attempts from 0.

        Raises:
            UnknownJobError: There is no such job.
            JobStateError: It is in another state.
        """

    def delete(self, job_id: str) -> None:
        """Remove a terminal job with all its rows.

        Raises:
            UnknownJobError: There is no such job.
            JobStateError: It is not terminal.
        """

    def close(self) -> None:
        """Release connections."""
