"""The web page: files of the package, as they are; and the OpenAPI document."""

import hashlib
from functools import cache
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
    if name not in _names():
        raise ProblemError("not-found", "there is no such page")
    media_type = _TYPES[PurePosixPath(name).suffix]
    content = _FOLDER.joinpath(name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if etag in map(str.strip, request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


@cache
def _names() -> frozenset[str]:
    """List the files that there are, so that no name of a client's is looked for on the disk."""
    names = (file.name for file in _FOLDER.iterdir())
    return frozenset(name for name in names if PurePosixPath(name).suffix in _TYPES)
