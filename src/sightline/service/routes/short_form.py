"""The short form: submit by address, and look. For those who need nothing more."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sightline.jobs.model import Job
from sightline.service.answers import json_answer, problems
from sightline.service.presentation import percent_of
from sightline.service.problems import ProblemError
from sightline.service.requests import JobOptions, PushForm
from sightline.service.responses import Pushed, PushStatus
from sightline.service.result_files import find_result
from sightline.service.routes.submit import accept
from sightline.service.submission import SourceOfJob
from sightline.service.visit import JobId, Reading, Visit, Writing

__all__ = ["router"]

router = APIRouter(tags=["short form"], default_response_class=Response)


@router.post("/push", status_code=202, responses={202: {"model": Pushed}, **problems(507)})
async def push(visit: Writing, form: Annotated[PushForm, Form()]) -> Response:
    """Submit a video by its address, with the default pipeline."""
    headers = await run_in_threadpool(visit.admit)
    services = visit.services
    options = JobOptions(source_name=form.source_name, pipeline=services.offers.default.name)
    source = SourceOfJob(url=form.source_url)
    job = await run_in_threadpool(accept, visit, options, source)
    shown = {"id": job.id, "status": job.state.value, "source_name": job.spec.source_name}
    headers |= {"location": f"/status/{job.id}", "retry-after": "1"}
    return json_answer(shown, 202, headers=headers)


@router.get("/status/{job_id}", responses={200: {"model": PushStatus}, **problems(404)})
async def look(visit: Reading, job_id: JobId) -> Response:
    """Look at a job; at its end `result` is the content of tracks.json."""
    job, place = await visit.look(job_id)
    shown: dict[str, Any] = {
        "id": job.id,
        "status": job.state.value,
        "progress": percent_of(job),
    }
    headers = {}
    if not job.state.terminal:
        headers["retry-after"] = str(visit.ask_again_s(job, place))
    elif (result := await run_in_threadpool(_tracks, visit, job)) is not None:
        shown["result"] = result
    if job.failure is not None:
        shown["error"] = job.failure.message
    return json_answer(shown, headers=headers)


def _tracks(visit: Visit, job: Job) -> msgspec.Raw | None:
    try:
        with visit.shelf(job) as shelf:
            return msgspec.Raw(find_result(shelf, "tracks").read_bytes())
    except (ProblemError, FileNotFoundError):
        return None
