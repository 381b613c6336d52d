"""The files of a job: its results in every format, its video, a picture of it."""

import pathlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from sightline.jobs.model import Job
from sightline.jobs.preview import PREVIEW_NAME
from sightline.jobs.shelf import Shelf
from sightline.service.answers import json_answer, problems
from sightline.service.file_answer import answer_file
from sightline.service.problems import ProblemError
from sightline.service.responses import ResultList
from sightline.service.result_files import MEDIA_TYPES, find_result, list_results
from sightline.service.visit import JobId, Reading, Visit

__all__ = ["router"]

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"], default_response_class=Response)

_PLAYED_AS = {"webm": "video/webm", "matroska": "video/webm"}


def _content(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Describe a file for the OpenAPI document."""
    schema = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {
        200: {"description": "The file", "content": content},
        206: {"description": "A range of the file", "content": content},
        304: {"description": "Not changed"},
        **problems(404, 416),
    }


@router.get("/results", responses={200: {"model": ResultList}, **problems(404)})
def list_files(visit: Reading, job_id: JobId) -> Response:
    """List the files that can be downloaded."""
    with visit.shelf(visit.job(job_id)) as shelf:
        found = list_results(shelf)
    return json_answer(
        {
            "results": [
                {
                    "format": format_name,
                    "name": name,
                    "size": size,
                    "media_type": MEDIA_TYPES[format_name],
                    "url": f"/v1/jobs/{job_id}/results/{format_name}",
                }
                for format_name, name, size in found
            ]
        }
    )


@router.get("/results/{format}", responses=_content(*dict.fromkeys(MEDIA_TYPES.values())))
def download(
    visit: Reading,
    job_id: JobId,
    format_name: Annotated[str, Path(alias="format", description="Of the list of results.")],
) -> Response:
    """Download the results in one format."""
    job = visit.job(job_id)
    with ExitStack() as held:
        path = find_result(held.enter_context(visit.shelf(job)), format_name)
        return answer_file(
            visit.request, path, MEDIA_TYPES[format_name], download=path.name, held=held
        )


@router.get("/annotated.mp4", responses=_content("video/mp4"))
def show_annotated(visit: Reading, job_id: JobId) -> Response:
    """Play the video with boxes and trails drawn into it."""
    return _show(visit, visit.job(job_id), lambda shelf: find_result(shelf, "video"), "video/mp4")


@router.get("/video", responses=_content("video/mp4", "video/webm"))
def show_video(visit: Reading, job_id: JobId) -> Response:
    """Play the video, or a preview of it where browsers cannot play the video itself."""
    job = visit.job(job_id)
    if job.video is None:
        ended = job.state.terminal
        detail = "the job ended before its video was here" if ended else "the video is not here yet"
        raise ProblemError("no-result", detail)
    if not job.video.playable:
        return _show(visit, job, lambda shelf: shelf.result(PREVIEW_NAME), "video/mp4")
    media_type = _PLAYED_AS.get(job.video.container, "video/mp4")
    return _show(visit, job, lambda shelf: shelf.source(), media_type)


@router.get("/thumbnail.jpg", responses=_content("image/jpeg"))
def show_thumbnail(visit: Reading, job_id: JobId) -> Response:
    """Show a picture of the video."""
    return _show(visit, visit.job(job_id), lambda shelf: shelf.thumbnail(), "image/jpeg")


def _show(
    visit: Visit, job: Job, find: Callable[[Shelf], pathlib.Path | None], media_type: str
) -> Response:
    with ExitStack() as held:
        path = find(held.enter_context(visit.shelf(job)))
        if path is None:
            raise ProblemError("no-result", "there is no such file, or not any more")
        return answer_file(visit.request, path, media_type, held=held)
