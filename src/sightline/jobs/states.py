"""The states of jobs and tasks, the moves between them that are allowed, and their queues."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["JOB_MOVES", "JobState", "Priority", "Queue", "TaskKind", "TaskState", "queue_of"]


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINALIZING = "finalizing"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Nothing more happens to the job by itself, but for its expiry."""
        return self in _TERMINAL


_TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED})

JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELED}),
    JobState.RUNNING: frozenset({JobState.FINALIZING, JobState.CANCELING, JobState.FAILED}),
    JobState.FINALIZING: frozenset({JobState.SUCCEEDED, JobState.CANCELING, JobState.FAILED}),
    JobState.CANCELING: frozenset({JobState.CANCELED}),
    JobState.SUCCEEDED: frozenset({JobState.EXPIRED}),
    JobState.FAILED: frozenset({JobState.QUEUED, JobState.EXPIRED}),
    JobState.CANCELED: frozenset({JobState.QUEUED, JobState.EXPIRED}),
    JobState.EXPIRED: frozenset(),
}
"""From each state to those that may follow it. `FINALIZING` begins when the final pass has all the
input that it is going to get: every chunk is done, or the job is failing."""


class TaskKind(StrEnum):
    """What a task is; a job has one ingest, any number of chunks, and one final pass."""

    INGEST = "ingest"
    CHUNK = "chunk"
    FINAL = "final"


class Priority(StrEnum):
    """Which jobs come first."""

    NORMAL = "normal"
    INTERACTIVE = "interactive"
    """Somebody waits for it: before all that are normal, and with workers of its own."""


class Queue(StrEnum):
    """Where a task waits for a worker; workers serve some queues, or all."""

    INGEST = "ingest"
    DETECT = "detect"
    FINALIZE = "finalize"
    INTERACTIVE = "interactive"
    """All tasks of interactive jobs."""


_QUEUES = {
    TaskKind.INGEST: Queue.INGEST,
    TaskKind.CHUNK: Queue.DETECT,
    TaskKind.FINAL: Queue.FINALIZE,
}


def queue_of(kind: TaskKind, priority: Priority) -> Queue:
    """Give the queue of a task.

    >>> queue_of(TaskKind.CHUNK, Priority.NORMAL)
    <Queue.DETECT: 'detect'>
    >>> queue_of(TaskKind.CHUNK, Priority.INTERACTIVE)
    <Queue.INTERACTIVE: 'interactive'>
    """
    return Queue.INTERACTIVE if priority is Priority.INTERACTIVE else _QUEUES[kind]


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    """Its input is not there yet."""
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
