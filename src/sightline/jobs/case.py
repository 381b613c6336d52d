"""A job and its tasks while a rule changes them: keeps the figures of the progress in step.

It knows which moves are allowed, but not when one is made; see `jobs.rules`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from sightline.jobs.states import JOB_MOVES, JobState, TaskKind, TaskState
from sightline.jobs.store import JobStateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.jobs.model import Job, Progress, Task

__all__ = ["Case", "OtherTasks", "TaskKey"]

TaskKey = tuple[TaskKind, int]
"""What tells the tasks of a job apart: kind and number."""

_ORDER = {TaskKind.INGEST: 0, TaskKind.CHUNK: 1, TaskKind.FINAL: 2}
_COUNTS = {
    TaskState.DONE: "chunks_done",
    TaskState.LEASED: "chunks_running",
    TaskState.FAILED: "chunks_failed",
}


class OtherTasks(Protocol):
    """Where a case finds the tasks that it was not given, when a rule looks at them."""

    def one(self, kind: TaskKind, number: int) -> Task:
        """Find a task."""

    def all(self) -> Iterable[Task]:
        """Find all tasks of the job, in any order."""


class Case:
    """A job with those of its tasks that a rule looks at.

    Args:
        job: The job.
        tasks: Tasks of it.
        others: Has the others; None: there are none.

    Attributes:
        job: As it stands now; its version is one more than at first as soon as anything that
            can be seen of the job or its tasks has changed.
        added: The keys of the tasks that are new.
        changed: The keys of the tasks that are new or have changed.
    """

    def __init__(self, job: Job, tasks: Iterable[Task], others: OtherTasks | None = None) -> None:
        self.job = job
        self.added: set[TaskKey] = set()
        self.changed: set[TaskKey] = set()
        self._next_version = job.version + 1
        self._tasks = {(task.kind, task.number): task for task in tasks}
        self._others = others

    @property
    def tasks(self) -> list[Task]:
        """The tasks: ingest, the chunks in the order of the video, the final pass."""
        if self._others is not None:
            found = {(task.kind, task.number): task for task in self._others.all()}
            self._tasks = {**found, **self._tasks}
            self._others = None
        return sorted(self._tasks.values(), key=lambda task: (_ORDER[task.kind], task.number))

    def task(self, kind: TaskKind, number: int = 0) -> Task:
        """Give a task as it stands now."""
        if (kind, number) not in self._tasks and self._others is not None:
            self._tasks[kind, number] = self._others.one(kind, number)
        return self._tasks[kind, number]

    def add(self, task: Task) -> None:
        """Take in a new task."""
        self.added.add((task.kind, task.number))
        self._put(task)
        self.update()

    def change(self, task: Task, **fields: Any) -> None:
        """Change a task; one that is no longer leased has no end of its lease either."""
        new = replace(task, **fields)
        if new.state is not TaskState.LEASED:
            new = replace(new, leased_until=None)
        if new == task:
            return
        self._put(new)
        self.note(**_difference(self.job.progress, task, new))
        if replace(new, leased_until=task.leased_until) != task:
            self.update()

    def update(self, **fields: Any) -> None:
        """Change fields of the job, but for its state and progress; its version always."""
        self.job = replace(self.job, **fields, version=self._next_version)

    def note(self, **fields: Any) -> None:
        """Change fields of the progress; does nothing if they are so already."""
        progress = replace(self.job.progress, **fields)
        if progress != self.job.progress:
            self.update(progress=progress)

    def move(self, state: JobState) -> None:
        """Bring the job to another state.

        Raises:
            JobStateError: No such move is allowed.
        """
        if state not in JOB_MOVES[self.job.state]:
            raise JobStateError(f"job {self.job.id} is {self.job.state} and cannot become {state}")
        self.update(state=state)
        if state is not JobState.CANCELING:
            self.note(step=self._step())

    def _put(self, task: Task) -> None:
        key = (task.kind, task.number)
        self._tasks[key] = task
        self.changed.add(key)

    def _step(self) -> str | None:
        if self.job.state is JobState.RUNNING:
            return "ingest" if self.job.video is None else "detect"
        return "finalize" if self.job.state is JobState.FINALIZING else None


def _difference(progress: Progress, old: Task, new: Task) -> dict[str, int]:
    """Say what the progress is to be after a task has changed.

    >>> from sightline.jobs.model import Progress, Task
    >>> from sightline.jobs.states import Queue
    >>> old = Task(job_id="a", kind=TaskKind.CHUNK, queue=Queue.DETECT, frames_done=3)
    >>> new = replace(old, frames_done=5)
    >>> _difference(Progress(frames_done=10, chunks_total=2), old, new)
    {'frames_done': 12}
    """
    fields: dict[str, int] = {}
    is_chunk = new.kind is TaskKind.CHUNK
    if is_chunk and old.state is not new.state:
        for state, step in ((old.state, -1), (new.state, 1)):
            if name := _COUNTS.get(state):
                fields[name] = getattr(progress, name) + step
    if old.frames_done != new.frames_done:
        if new.kind is TaskKind.FINAL:
            fields["frames_final"] = new.frames_done
        if is_chunk or (new.kind is TaskKind.FINAL and progress.chunks_total == 0):
            fields["frames_done"] = progress.frames_done + new.frames_done - old.frames_done
    return fields
