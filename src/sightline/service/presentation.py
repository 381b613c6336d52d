"""Jobs as clients see them: JSON without secrets, with rate, percentage and remaining time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from sightline.jobs.states import JobState
from sightline.media.naming import redact

if TYPE_CHECKING:
    from sightline.jobs.model import Job, JobSpec, Task

__all__ = ["ask_again_s", "job_etag", "percent_of", "present_chunk", "present_job"]

_CHUNKS_SHARE = 90.0
"""Of the percentage; the rest is the final pass."""
_ASK_AT_MOST_S = 15
_QUESTIONS_LEFT = 20


def present_job(job: Job, *, queue_position: int | None, now_s: float) -> dict[str, Any]:
    """Make the job object of the API.

    Args:
        job: The job.
        queue_position: Queued jobs before it; None if it is not queued.
        now_s: Seconds since 1970.
    """
    spec = job.spec
    return {
        "id": job.id,
        "status": job.state.value,
        "terminal": job.state.terminal,
        "source": _source(spec),
        "pipeline": spec.pipeline,
        "params": dict(spec.params),
        "outputs": list(spec.outputs),
        "labels": dict(spec.labels),
        "priority": spec.priority.value,
        "range": {"start_s": spec.start_s, "end_s": spec.end_s},
        "progress": _progress(job, queue_position=queue_position, now_s=now_s),
        "partial": job.partial,
        "warnings": list(job.warnings),
        "error": msgspec.to_builtins(job.failure),
        "video": msgspec.to_builtins(job.video),
        "summary": dict(job.summary),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "expires_at": _time(job.expires_at),
        "version": job.version,
        "links": _links(job.id),
    }


def present_chunk(task: Task) -> dict[str, Any]:
    """Make the object of one chunk."""
    return {
        "number": task.number,
        "status": task.state.value,
        "attempt": task.attempt,
        "frames_done": task.frames_done,
        "frames_total": task.span.frames,
        "begin_pts": task.span.begin_pts,
        "end_pts": task.span.end_pts,
        "error": msgspec.to_builtins(task.failure),
    }


def job_etag(job: Job, queue_position: int | None) -> str:
    """Name what a client sees of a job; weak, for rate and remaining time go on by themselves."""
    place = "" if queue_position is None else f"-{queue_position}"
    return f'W/"{job.version}{place}"'


def percent_of(job: Job) -> float | None:
    """Tell how much is done, 0 to 100; None where the number of frames is unknown."""
    progress = job.progress
    if job.state is JobState.SUCCEEDED:
        return 100.0
    if job.state is JobState.QUEUED or progress.step == "ingest":
        return 0.0
    if not progress.frames_total:
        return None
    if job.state is JobState.EXPIRED and progress.frames_kept >= progress.frames_total:
        return 100.0
    share = _CHUNKS_SHARE if progress.chunks_total else 0.0
    # Of a job that is tried again, only what it does now counts: older results do not help it on.
    final = progress.frames_kept if job.state.terminal else progress.frames_final
    done = share * progress.frames_done + (100.0 - share) * final
    return round(min(done / progress.frames_total, 99.9), 1)


def ask_again_s(job: Job, *, queue_position: int | None, now_s: float) -> int:
    """Tell in how many seconds a client that polls a job should ask again: 1 to 15.

    A twentieth of the remaining time, so that it sees the job advance; while it is queued, a second
    for every job before it.

    Args:
        job: One that is not at its end.
        queue_position: Queued jobs before it; None if it is not queued.
        now_s: Seconds since 1970.
    """
    if queue_position is not None:
        wait_s = float(queue_position)
    else:
        wait_s = (_remaining(job, _rate(job, now_s)) or 0.0) / _QUESTIONS_LEFT
    return max(1, min(_ASK_AT_MOST_S, round(wait_s)))


def _source(spec: JobSpec) -> dict[str, Any]:
    url = spec.source_url
    return {
        "name": spec.source_name,
        "kind": "upload" if url is None else "url",
        "url": None if url is None else redact(url),
    }


def _progress(job: Job, *, queue_position: int | None, now_s: float) -> dict[str, Any]:
    progress = job.progress
    rate = _rate(job, now_s)
    return {
        "step": progress.step,
        "percent": percent_of(job),
        "frames_done": progress.frames_done,
        "frames_total": progress.frames_total,
        "frames_final": _frames_with_results(job),
        "fps": None if rate is None else round(rate, 2),
        "eta_s": _remaining(job, rate),
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "chunks": {
            "total": progress.chunks_total,
            "done": progress.chunks_done,
            "running": progress.chunks_running,
            "failed": progress.chunks_failed,
        },
        "queue_position": queue_position,
    }


def _frames_with_results(job: Job) -> int:
    """Say up to where there are results: those that grow count as soon as they have a frame."""
    progress = job.progress
    growing = 0 if job.state.terminal else progress.frames_final
    return growing or progress.frames_kept


def _rate(job: Job, now_s: float) -> float | None:
    """Frames per second since the first was begun; None before, and without frames."""
    progress = job.progress
    frames = progress.frames_done - progress.detect_from
    if progress.detect_since is None or frames <= 0:
        return None
    elapsed_s = (job.finished_at or now_s) - progress.detect_since
    return frames / elapsed_s if elapsed_s > 0 else None


def _remaining(job: Job, rate: float | None) -> float | None:
    total = job.progress.frames_total
    if job.state.terminal or rate is None or total is None:
        return None
    return round(max(0, total - job.progress.frames_done) / rate, 1)


def _time(seconds: float | None) -> str | None:
    """Write a time as RFC 3339 wants it.

    >>> _time(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _links(job_id: str) -> dict[str, str]:
    name = quote(job_id, safe="")
    base = f"/v1/jobs/{name}"
    return {
        "self": base,
        "events": f"{base}/events",
        "cancel": f"{base}/cancel",
        "retry": f"{base}/retry",
        "results": f"{base}/results",
        "page": f"/jobs/{name}",
    }
