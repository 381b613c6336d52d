"""Jobs and tasks as rows, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec

from sightline.jobs.model import Failure, Job, JobSpec, Progress, Span, Task, VideoFacts
from sightline.jobs.states import JobState, Priority, Queue, TaskKind, TaskState

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = [
    "job_from_row",
    "job_values",
    "new_job_values",
    "task_from_row",
    "task_values",
    "turn_of",
]

_PROGRESS = tuple(field.name for field in fields(Progress))


def new_job_values(job: Job) -> dict[str, Any]:
    """Give the whole row of a job."""
    return {
        "id": job.id,
        "owner": job.owner,
        "created_at": job.created_at,
        "source_folded": job.spec.source_name.casefold(),
        "spec": msgspec.to_builtins(job.spec),
        "priority": job.spec.priority.value,
        **job_values(job),
    }


def job_values(job: Job) -> dict[str, Any]:
    """Give what changes of the row of a job."""
    return {
        "state": job.state.value,
        "version": job.version,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "partial": job.partial,
        "video": msgspec.to_builtins(job.video),
        "warnings": list(job.warnings),
        "summary": dict(job.summary),
        **{name: getattr(job.progress, name) for name in _PROGRESS},
        **_failure_values(job.failure),
    }


def job_from_row(row: Row[Any]) -> Job:
    """Read a row of the jobs."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's documented way to the columns by name
    spec = dict(values["spec"])
    spec["outputs"] = tuple(spec["outputs"])
    spec["priority"] = Priority(values["priority"])
    return Job(
        id=values["id"],
        owner=values["owner"],
        spec=JobSpec(**spec),
        state=JobState(values["state"]),
        version=values["version"],
        created_at=values["created_at"],
        started_at=values["started_at"],
        finished_at=values["finished_at"],
        expires_at=values["expires_at"],
        progress=Progress(**{name: values[name] for name in _PROGRESS}),
        video=None if values["video"] is None else VideoFacts(**values["video"]),
        failure=_failure(values),
        partial=values["partial"],
        warnings=tuple(values["warnings"]),
        summary=values["summary"],
    )


def turn_of(job_id: str, number: int) -> str:
    """Write what tasks of a queue are sorted by.

    >>> turn_of("job", 7)
    'job/0000007'
    """
    return f"{job_id}/{number:07d}"


def task_values(task: Task, *, token: str | None = None) -> dict[str, Any]:
    """Give the whole row of a task.

    Args:
        task: The task.
        token: Of its lease; None without one.
    """
    return {
        "job_id": task.job_id,
        "kind": task.kind.value,
        "queue": task.queue.value,
        "turn": turn_of(task.job_id, task.number),
        "number": task.number,
        "state": task.state.value,
        "token": token,
        "begin_pts": task.span.begin_pts,
        "end_pts": task.span.end_pts,
        "seek_pts": task.span.seek_pts,
        "span_frames": task.span.frames,
        "attempt": task.attempt,
        "worker": task.worker,
        "leased_until": task.leased_until,
        "not_before": task.not_before,
        "frames_done": task.frames_done,
        "result": task.result,
        "warnings": list(task.warnings),
        **_failure_values(task.failure),
    }


def task_from_row(row: Row[Any]) -> Task:
    """Read a row of the tasks."""
    values = row._mapping  # noqa: SLF001
    return Task(
        job_id=values["job_id"],
        kind=TaskKind(values["kind"]),
        queue=Queue(values["queue"]),
        number=values["number"],
        state=TaskState(values["state"]),
        span=Span(
            begin_pts=values["begin_pts"],
            end_pts=values["end_pts"],
            seek_pts=values["seek_pts"],
            frames=values["span_frames"],
        ),
        attempt=values["attempt"],
        worker=values["worker"],
        leased_until=values["leased_until"],
        not_before=values["not_before"],
        frames_done=values["frames_done"],
        result=values["result"],
        failure=_failure(values),
        warnings=tuple(values["warnings"]),
    )


def _failure_values(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {"failure_code": None, "failure_message": None}
    return {"failure_code": failure.code, "failure_message": failure.message}


def _failure(values: Any) -> Failure | None:
    if values["failure_code"] is None:
        return None
    return Failure(code=values["failure_code"], message=values["failure_message"])
