"""What a job found: tracks, detections, counts; also while it runs, as far as it got."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from sightline.jobs.result_rows import CursorError, DetectionQuery, DetectionRow, Page, TrackRow
from sightline.jobs.results import ResultsReader
from sightline.service.answers import json_answer, problems
from sightline.service.problems import Fault, ProblemError
from sightline.service.responses import CountsView, DetectionPage, TrackPage
from sightline.service.result_files import ask_index
from sightline.service.visit import JobId, Reading, Visit

__all__ = ["router"]

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"], default_response_class=Response)

_Answer = TypeVar("_Answer")

_CURSOR = r"^(0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15})?$"
"""What `jobs.results` reads: a number below 2**63."""
_ClassName = Annotated[str, StringConstraints(max_length=200)]
_Time = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class Place(BaseModel):
    """Where in the results to go on."""

    cursor: str = Field("", pattern=_CURSOR, description="`next_cursor` of a page before.")
    limit: int = Field(100, ge=1, le=1000, description="At most so many.")


class TrackFilter(Place):
    """Which tracks to list."""

    class_: list[_ClassName] = Field([], alias="class", description="Only of these classes.")


class DetectionFilter(TrackFilter):
    """Which detections to list."""

    from_: _Time | None = Field(None, alias="from", description="Shown then or later, seconds.")
    to: _Time | None = Field(None, description="Shown earlier than this, in seconds.")
    min_confidence: float = Field(0, ge=0, le=1, description="At least this.")
    track: int | None = Field(None, ge=0, le=2**53, description="Only on this track.")


@router.get("/tracks", responses={200: {"model": TrackPage}, **problems(404)})
def list_tracks(
    visit: Reading, job_id: JobId, filters: Annotated[TrackFilter, Query()]
) -> Response:
    """List tracks by number: where each began and ended, and how sure it is."""

    def question(index: ResultsReader) -> Page[TrackRow]:
        wanted = frozenset(filters.class_)
        return index.tracks(classes=wanted, after=filters.cursor, limit=filters.limit)

    page = _ask(visit, job_id, question)
    return json_answer({"tracks": list(map(_track, page.rows)), "next_cursor": _next(page)})


@router.get("/detections", responses={200: {"model": DetectionPage}, **problems(404)})
def list_detections(
    visit: Reading, job_id: JobId, filters: Annotated[DetectionFilter, Query()]
) -> Response:
    """List detections by time. A page may be short, even empty, before the last one."""
    query = DetectionQuery(
        from_s=filters.from_,
        to_s=filters.to,
        classes=frozenset(filters.class_),
        min_confidence=filters.min_confidence,
        track_id=filters.track,
    )

    def question(index: ResultsReader) -> Page[DetectionRow]:
        return index.detections(query, after=filters.cursor, limit=filters.limit)

    page = _ask(visit, job_id, question)
    found = list(map(_detection, page.rows))
    return json_answer({"detections": found, "next_cursor": _next(page)})


@router.get("/counts", responses={200: {"model": CountsView}, **problems(404)})
def count_objects(
    visit: Reading, job_id: JobId, bins: Annotated[int, Query(ge=1, le=2000)] = 100
) -> Response:
    """Count the objects of each class over time."""
    counted = _ask(visit, job_id, lambda index: index.counts(bins))
    return json_answer({"bins": counted})


def _ask(visit: Visit, job_id: str, question: Callable[[ResultsReader], _Answer]) -> _Answer:
    with visit.shelf(visit.job(job_id)) as shelf:
        try:
            return ask_index(shelf, question)
        except CursorError as error:
            raise _wrong_cursor() from error


def _next(page: Page[Any]) -> str | None:
    return page.cursor if page.more else None


def _wrong_cursor() -> ProblemError:
    detail = "this is no cursor of such a page"
    fault = Fault(pointer="/query/cursor", detail=detail)
    return ProblemError("invalid-request", detail, faults=[fault])


def _track(row: TrackRow) -> dict[str, Any]:
    return {
        "track_id": row.track_id,
        "class_id": row.class_id,
        "class": row.class_name,
        "first_frame": row.first_seq,
        "last_frame": row.last_seq,
        "first_s": row.first_s,
        "last_s": row.last_s,
        "frames": row.frames,
        "confidence_mean": row.confidence_mean,
        "confidence_max": row.confidence_max,
        "first_box": row.first_xyxy,
        "last_box": row.last_xyxy,
    }


def _detection(row: DetectionRow) -> dict[str, Any]:
    return {
        "frame": row.seq,
        "time_s": row.time_s,
        "box": row.xyxy,
        "confidence": row.confidence,
        "class_id": row.class_id,
        "class": row.class_name,
        "track_id": row.track_id if row.track_id >= 0 else None,
    }
