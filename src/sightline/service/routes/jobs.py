"""Jobs: list, look, wait, cancel, retry, delete. How they are submitted is in `submit`."""

import re
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from sightline.jobs.model import Job
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import JobQuery, UnknownJobError
from sightline.service.answers import job_answer, job_headers, json_answer, problems
from sightline.service.audit import Action
from sightline.service.event_stream import EventStream
from sightline.service.known_jobs import Look
from sightline.service.owner import Scope
from sightline.service.presentation import job_etag, present_chunk, present_job
from sightline.service.problems import ProblemError
from sightline.service.requests import MOST_LABELS, LabelFilter
from sightline.service.responses import ChunkList, JobList, JobView
from sightline.service.visit import JobId, Reading, Visit, Writing

__all__ = ["router"]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], default_response_class=Response)

_VERSION = re.compile(r"[0-9]{1,18}")


class JobFilter(BaseModel):
    """Which jobs to list."""

    status: list[JobState] = Field(
        [], max_length=len(JobState), description="Only in one of these states."
    )
    label: list[LabelFilter] = Field(
        [], max_length=MOST_LABELS, description="Only with all of these, NAME:VALUE."
    )
    q: str = Field(
        "",
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Only with this in the source's name.",
    )
    cursor: str | None = Field(None, pattern=r"^[0-9a-z-]{1,64}$", description="`next_cursor`.")
    limit: int = Field(50, ge=1, le=200, description="At most so many.")


class Patience(BaseModel):
    """How long to wait for news."""

    wait: float = Field(0, ge=0, le=60, description="Seconds to wait for a newer version.")
    version: int | None = Field(None, ge=0, description="Newer than this; by default, than now.")


@router.get("", responses={200: {"model": JobList}})
def list_jobs(visit: Reading, filters: Annotated[JobFilter, Query()]) -> Response:
    """List your jobs, newest first; with the scope `admin`, those of everybody."""
    found = _find(visit, filters)
    jobs = found[: filters.limit]
    places = visit.places(jobs)
    now_s = visit.services.clock()
    return json_answer(
        {
            "jobs": [
                present_job(job, queue_position=places.get(job.id), now_s=now_s) for job in jobs
            ],
            "next_cursor": jobs[-1].id if len(found) > len(jobs) else None,
        }
    )


@router.get(
    "/{job_id}",
    responses={200: {"model": JobView}, 304: {"description": "Not changed"}, **problems(404)},
)
async def get_job(
    visit: Reading,
    job_id: JobId,
    patience: Annotated[Patience, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Look at a job; `wait` returns when it has changed, or after so many seconds."""
    job, place = await visit.look(job_id)
    if patience.wait and not job.state.terminal:
        since = job.version if patience.version is None else patience.version
        if job.version <= since:
            job, place = await _wait(visit, job_id, since=since, timeout_s=patience.wait)
    etag = job_etag(job, place)
    if if_none_match is not None and etag in map(str.strip, if_none_match.split(",")):
        return Response(status_code=304, headers=job_headers(visit, job, place))
    return job_answer(visit, job, place)


@router.get(
    "/{job_id}/events",
    responses={
        200: {
            "description": "Snapshots of the job: `status`, `progress`, and `done` as the last.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The job is at its end, which the client has seen already"},
        **problems(404),
    },
)
async def watch_job(
    visit: Reading,
    job_id: JobId,
    last_event_id: Annotated[str | None, Header(description="The version seen last.")] = None,
) -> Response:
    """Watch a job as server-sent events; every event has the whole job object."""
    job, _ = await visit.look(job_id)
    seen = int(last_event_id) if last_event_id and _VERSION.fullmatch(last_event_id) else None
    if job.state.terminal and seen == job.version:
        return Response(status_code=204)
    return EventStream(visit.watch(job_id), seen=seen)


@router.get("/{job_id}/chunks", responses={200: {"model": ChunkList}, **problems(404)})
def list_chunks(visit: Reading, job_id: JobId) -> Response:
    """List the chunks of a job, in the order of the video."""
    visit.job(job_id)
    tasks = visit.services.store.tasks(job_id)
    chunks = [present_chunk(task) for task in tasks if task.kind is TaskKind.CHUNK]
    return json_answer({"chunks": chunks})


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    responses={202: {"model": JobView}, **problems(404, 409)},
)
def cancel_job(visit: Writing, job_id: JobId) -> Response:
    """Cancel a job; what was finished is kept. Does nothing the second time."""
    visit.job(job_id)
    services = visit.services
    job = services.store.cancel(job_id, policy=services.policy, now_s=services.clock())
    visit.record(Action.CANCEL, job_id)
    services.wake()
    return job_answer(visit, job, None, status=202)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    responses={202: {"model": JobView}, **problems(404, 409)},
)
def retry_job(visit: Writing, job_id: JobId) -> Response:
    """Queue a failed or canceled job again; what is finished is not done again."""
    visit.job(job_id)
    headers = visit.admit()
    job = visit.services.store.retry(job_id, now_s=visit.services.clock())
    visit.record(Action.RETRY, job_id)
    visit.services.wake()
    place = visit.places([job]).get(job_id)
    return job_answer(visit, job, place, status=202, headers=headers)


@router.delete("/{job_id}", status_code=204, responses=problems(404, 409))
def delete_job(visit: Writing, job_id: JobId) -> Response:
    """Delete a job at its end, with its video and results."""
    upload = visit.job(job_id).spec.upload
    visit.services.store.delete(job_id)
    visit.services.storage.remove_job(job_id)
    if upload is not None:
        visit.services.uploads.discard(upload)
    visit.record(Action.DELETE, job_id)
    return Response(status_code=204)


async def _wait(visit: Visit, job_id: str, *, since: int, timeout_s: float) -> Look:
    """Wait for a newer version of a job; give the one there is when the time is over.

    Raises:
        UnknownJobError: It was deleted meanwhile.
        ProblemError: The key was revoked meanwhile.
    """
    until_s = time.monotonic() + timeout_s
    watch = visit.watch(job_id)
    async with watch.attended(visit.request.receive):
        while not watch.is_over:
            snapshot = watch.snapshot
            if snapshot is not None:
                if snapshot.job is None:
                    raise UnknownJobError(job_id)
                if snapshot.job.version > since or snapshot.job.state.terminal:
                    return Look(snapshot.job, snapshot.queue_position)
            if not await watch.wait(max(0.0, until_s - time.monotonic())):
                break
    if watch.is_expelled:
        raise ProblemError("unauthorized", "the key was revoked")
    return await visit.look(job_id)


def _find(visit: Visit, filters: JobFilter) -> Sequence[Job]:
    """Find the jobs of a page, and the first one of the next; blocks."""
    labels = {_name_and_value(label) for label in filters.label}
    if len(dict(labels)) < len(labels):
        return []  # no job has two values under one name
    return visit.services.store.list(
        JobQuery(
            owner=None if visit.owner.may(Scope.ADMIN) else visit.owner.id,
            states=frozenset(filters.status),
            labels=dict(labels),
            text=filters.q,
            before=filters.cursor,
            limit=filters.limit + 1,
        )
    )


def _name_and_value(label: str) -> tuple[str, str]:
    name, _, value = label.partition(":")
    return name, value
