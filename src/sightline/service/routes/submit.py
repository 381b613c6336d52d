"""How jobs are submitted."""

from dataclasses import replace
from typing import Annotated, TypeVar

import anyio
import pydantic_core
from fastapi import APIRouter, Header
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sightline.jobs.model import Job
from sightline.jobs.store import IdempotencyConflictError, IdempotencyKey, UnknownJobError
from sightline.jobs.transfers import give_upload
from sightline.service.answers import job_answer, problems
from sightline.service.audit import Action
from sightline.service.multipart import ReceivedForm, receive_multipart
from sightline.service.problems import ProblemError
from sightline.service.requests import JobOptions, JobRequest
from sightline.service.responses import JobView
from sightline.service.services import Services
from sightline.service.submission import (
    EarlierSubmission,
    SourceOfJob,
    check_room,
    find_earlier,
    idempotency_of,
    make_job,
)
from sightline.service.uploads import Upload
from sightline.service.visit import Visit, Writing

__all__ = ["accept", "read_model", "router"]

Body = TypeVar("Body", bound=BaseModel)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], default_response_class=Response)

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Makes a repeated submission the same job.",
    ),
]


@router.post(
    "",
    status_code=202,
    responses={202: {"model": JobView}, **problems(404, 409, 410, 411, 415, 507)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/JobRequest"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "job": {"$ref": "#/components/schemas/JobOptions"},
                        },
                        "required": ["file"],
                        "additionalProperties": False,
                    },
                    "encoding": {"job": {"contentType": "application/json"}},
                },
            },
        }
    },
)
async def submit_job(visit: Writing, idempotency_key: IdempotencyHeader = None) -> Response:
    """Submit a job: JSON with an address or an upload, or a form with a file."""
    earlier, headers = await run_in_threadpool(_admit, visit, idempotency_key)
    match _media_type(visit.request):
        case "application/json":
            job = await _from_json(visit, idempotency_key, earlier)
        case "multipart/form-data":
            job = await _from_form(visit, idempotency_key, earlier)
        case _:
            raise ProblemError(
                "unsupported-media-type",
                "a job is application/json, or multipart/form-data with a file",
            )
    places = await run_in_threadpool(visit.places, [job])
    headers["location"] = f"/v1/jobs/{job.id}"
    return job_answer(visit, job, places.get(job.id), status=202, headers=headers)


def _admit(visit: Visit, key: str | None) -> tuple[EarlierSubmission | None, dict[str, str]]:
    """Count a submission, unless it may be a repeated one, which takes no more room."""
    earlier = find_earlier(visit.services, visit.owner.id, key)
    return earlier, {} if earlier is not None else visit.admit()


async def _from_json(visit: Visit, key: str | None, earlier: EarlierSubmission | None) -> Job:
    asked = read_model(JobRequest, await visit.request.body())
    source = SourceOfJob(url=asked.source_url, upload=asked.upload)
    idempotency = idempotency_of(key, asked)
    return await run_in_threadpool(
        _find_or_accept, visit, asked, source, idempotency=idempotency, earlier=earlier
    )


async def _from_form(visit: Visit, key: str | None, earlier: EarlierSubmission | None) -> Job:
    uploads, access = visit.services.uploads, visit.services.access
    form = await receive_multipart(
        visit.request, uploads, visit.owner, authenticator=access.authenticator
    )
    job = None
    try:
        upload = _only_file(form)
        options = read_model(JobOptions, form.fields.get("job", "{}").encode())
        source = SourceOfJob(upload=upload.id, name=upload.name)
        idempotency = idempotency_of(key, options, form.sha256)
        job = await run_in_threadpool(
            _find_or_accept, visit, options, source, idempotency=idempotency, earlier=earlier
        )
        return job
    finally:
        if form.upload is not None and (job is None or job.spec.upload != form.upload.id):
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(uploads.drop, form.upload.id)


def _only_file(form: ReceivedForm) -> Upload:
    if form.upload is None or form.fields.keys() - {"job"}:
        raise ProblemError("invalid-request", "a form has the part 'file', and perhaps 'job'")
    return form.upload


def _find_or_accept(
    visit: Visit,
    options: JobOptions,
    source: SourceOfJob,
    *,
    idempotency: IdempotencyKey | None,
    earlier: EarlierSubmission | None,
) -> Job:
    """Give the job of an earlier submission if this is that one again, or accept a new job."""
    if earlier is None or idempotency is None:
        return accept(visit, options, source, idempotency=idempotency)
    if earlier.digest != idempotency.digest:
        raise IdempotencyConflictError(
            f"the idempotency key {idempotency.key!r} came with another request before: "
            "choose a new one"
        )
    job = _find(visit.services, earlier.job_id)
    if job is None:  # it was deleted while the body arrived
        visit.admit()
        return accept(visit, options, source, idempotency=idempotency)
    return job


def accept(
    visit: Visit,
    options: JobOptions,
    source: SourceOfJob,
    *,
    idempotency: IdempotencyKey | None = None,
) -> Job:
    """Accept a job, or find the one that a repeated submission made; blocks.

    Raises:
        ProblemError: It cannot be accepted.
        IdempotencyConflictError: The key came with another request before.
        ArtifactError: The uploaded video cannot be put where the job is done.
    """
    services = visit.services
    check_room(services)
    if source.upload is not None and source.name is None:
        source = replace(source, name=services.uploads.get(source.upload, visit.owner).name)
    job = make_job(
        services.offers, options, source, owner_id=visit.owner.id, now_s=services.clock()
    )
    if source.upload is not None:
        holder = services.uploads.claim(source.upload, visit.owner, job_id=job.id)
        earlier = _find(services, holder)
        if earlier is not None:
            return _repeated(earlier, job)
        job = replace(job, id=holder)
        give_upload(services.storage, source.upload, holder)
    added = services.store.add(job, idempotency=idempotency)
    if added.id == job.id:
        visit.record(Action.SUBMIT, job.id)
        services.wake()
    return added


def read_model(model: type[Body], content: bytes) -> Body:
    """Read JSON as a model says.

    Raises:
        ProblemError: It is not JSON; status 400.
        RequestValidationError: It is not what the model says.
    """
    try:
        value = pydantic_core.from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError("malformed-request", f"the body is not JSON: {error}") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(found) from error


def _find(services: Services, job_id: str) -> Job | None:
    try:
        return services.store.get(job_id)
    except UnknownJobError:
        return None


def _repeated(earlier: Job, job: Job) -> Job:
    if earlier.spec != job.spec:
        raise ProblemError("gone", "another job has taken this upload; upload the video again")
    return earlier


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
