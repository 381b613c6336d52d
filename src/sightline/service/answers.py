"""Answers of the routes: JSON, and what the OpenAPI document says of the problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from sightline.service.presentation import job_etag, present_job
from sightline.service.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.jobs.model import Job
    from sightline.service.visit import Visit

__all__ = ["job_answer", "job_headers", "json_answer", "problems"]


def json_answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON; by default nobody keeps it."""
    return Response(
        msgspec.json.encode(value),
        status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def job_answer(
    visit: Visit,
    job: Job,
    place: int | None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a job.

    Args:
        visit: Who gets it.
        job: The job.
        place: Queued jobs before it; None if it is not queued.
        status: Of the answer.
        headers: To be sent along.
    """
    shown = present_job(job, queue_position=place, now_s=visit.services.clock())
    return json_answer(shown, status, headers={**job_headers(visit, job, place), **(headers or {})})


def job_headers(visit: Visit, job: Job, place: int | None) -> dict[str, str]:
    """Give the headers of an answer about a job, also of one that says that nothing has changed."""
    headers = {"etag": job_etag(job, place), "cache-control": "private, no-cache"}
    if not job.state.terminal:
        headers["retry-after"] = str(visit.ask_again_s(job, place))
    return headers


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe errors of a route for the OpenAPI document, besides those of every route."""
    return {status: _described(status) for status in statuses}


def _described(status: int) -> dict[str, Any]:
    titles = [title for code, title in PROBLEMS.values() if code == status]
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": schema}},
    }
