"""The web page: files of the package, as they are; and the OpenAPI document."""

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from starlette.responses import Response

from sightline.service.answers import json_answer
from sightline.service.problems import ProblemError

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=Response)

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOLDER = files("sightline.service").joinpath("page")


@router.get("/")
def show_start(request: Request) -> Response:
    """Show the list of jobs."""
    return _file(request, "index.html")


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: str) -> Response:  # noqa: ARG001 - the page looks itself
    """Show a job."""
    return _file(request, "job.html")


@router.get("/streams")
def show_streams(request: Request) -> Response:
    """Show the real-time streams."""
    return _file(request, "streams.html")


@router.get("/static/{name}")
def show_static(request: Request, name: str) -> Response:
    """Give a script, a style or a picture of the pages."""
    return _file(request, name)


@router.get("/openapi.json")
async def show_document(request: Request) -> Response:
    """Give the OpenAPI document."""
    return json_answer(request.app.openapi(), headers={"cache-control": "no-cache"})


def _file(request: Request, name: str) -> Response:
    media_type = _TYPES.get(PurePosixPath(name).suffix)
    file = _FOLDER.joinpath(name) if "/" not in name and "\0" not in name else None
    if media_type is None or file is None or not file.is_file():
        raise ProblemError("not-found", "there is no such page")
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if etag in map(str.strip, request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
