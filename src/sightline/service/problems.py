"""Errors as problem documents (RFC 9457): every error answer of the service is one.

    {"type": "urn:sightline:problem:unknown-job", "title": "No such job", "status": 404,
     "detail": "there is no job '018f…'", "instance": "urn:request:3f2a…"}

`type` is stable and for programs; `detail` is for people. Wrong input is listed in `errors`, each
with a JSON Pointer into the request. `instance` names the request as the log does.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.pipelines import MOST_FAULTS
from sightline.jobs.sql.engines import DatabaseError, StatementTimeoutError
from sightline.jobs.store import IdempotencyConflictError, JobStateError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = [
    "PROBLEMS",
    "Fault",
    "ProblemError",
    "add_problem_handlers",
    "error_response",
    "problem_response",
]

_log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MEDIA_TYPE = "application/problem+json"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed-request": (400, "The request cannot be read"),
    "unauthorized": (401, "A key is needed"),
    "forbidden": (403, "The key does not allow this"),
    "cross-origin": (403, "The request comes from another web site"),
    "not-found": (404, "Not found"),
    "unknown-job": (404, "No such job"),
    "unknown-pipeline": (404, "No such pipeline"),
    "unknown-upload": (404, "No such upload"),
    "no-result": (404, "The job has no such result"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "slow-request": (408, "The request did not arrive in time"),
    "job-state": (409, "The state of the job does not allow this"),
    "upload-offset": (409, "The upload is at another offset"),
    "upload-unfinished": (409, "The upload is not finished"),
    "gone": (410, "No longer there"),
    "length-required": (411, "The length must be given"),
    "precondition-failed": (412, "A precondition of the request does not hold"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "The type of the content is not supported"),
    "range-not-satisfiable": (416, "The range lies outside of the content"),
    "misdirected": (421, "The service does not go by this name"),
    "invalid-request": (422, "The request is not valid"),
    "upload-busy": (423, "The upload is being written to"),
    "idempotency-conflict": (422, "The idempotency key came with another request before"),
    "quota-exceeded": (429, "A quota is used up"),
    "too-many-requests": (429, "Too many requests"),
    "too-many-streams": (429, "Too many open event streams"),
    "checksum-mismatch": (460, "The content does not have the stated checksum"),
    "internal-error": (500, "The service failed"),
    "overloaded": (503, "The service has too much to do"),
    "unavailable": (503, "The service cannot do this now"),
    "storage-full": (507, "There is no room left"),
}
"""Status and title of every problem, by the last part of its type."""

_BY_STATUS = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with the input.

    Attributes:
        pointer: Where, as a JSON Pointer (RFC 6901) into the body; for parameters `/query/NAME`,
            `/path/NAME` or `/header/NAME`.
        detail: What, for people.
    """

    pointer: str
    detail: str


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        code: One of `PROBLEMS`.
        detail: One sentence for people.
        faults: What is wrong with the input; no more than `MOST_FAULTS` are told.
        headers: To be sent along.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = PROBLEMS[code][0]
        self.detail = detail
        self.faults = tuple(faults[:MOST_FAULTS])
        self.headers = dict(headers or {})


def problem_response(error: ProblemError, *, request_id: str | None = None) -> Response:
    """Write a problem document."""
    document: dict[str, Any] = {
        "type": f"urn:sightline:problem:{error.code}",
        "title": PROBLEMS[error.code][1],
        "status": error.status,
        "detail": error.detail,
    }
    if request_id is not None:
        document["instance"] = f"urn:request:{request_id}"
    if error.faults:
        document["errors"] = [
            {"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults
        ]
    headers = {"cache-control": "no-store", **error.headers}
    return JSONResponse(document, error.status, headers=headers, media_type=_MEDIA_TYPE)


def add_problem_handlers(application: FastAPI) -> None:
    """Let an application answer errors with problem documents; `Headers` does so for all others."""
    for kind in (
        ProblemError,
        ArtifactError,
        UnknownJobError,
        JobStateError,
        DatabaseError,
        IdempotencyConflictError,
        RequestValidationError,
        HTTPException,
    ):
        application.add_exception_handler(kind, _answer)


def error_response(request: Request, error: Exception) -> Response:
    """Write a problem document for an error, and log what those who run the service must know."""
    return problem_response(_problem(request, error), request_id=_request_id(request))


async def _answer(request: Request, error: Exception) -> Response:
    return error_response(request, error)


def _request_id(request: Request) -> str | None:
    request_id: str | None = request.scope.get("state", {}).get("request_id")
    return request_id


def _problem(request: Request, error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            problem = error
        case ArtifactError():
            problem = _unavailable(request, error)
        case UnknownJobError():
            problem = ProblemError("unknown-job", "there is no job of this id")
        case JobStateError():
            problem = ProblemError("job-state", str(error))
        case DatabaseError():
            problem = _without_database(request, error)
        case IdempotencyConflictError():
            problem = ProblemError("idempotency-conflict", str(error))
        case RequestValidationError():
            problem = _invalid(error)
        case HTTPException() if error.status_code in _BY_STATUS:
            problem = _of_http(request, error)
        case _:
            _log.error(
                "request failed request=%s path=%s", *_request_and_path(request), exc_info=error
            )
            detail = "an unexpected error; it is in the log of the service"
            problem = ProblemError("internal-error", detail)
    return problem


def _request_and_path(request: Request) -> tuple[str | None, str]:
    return _request_id(request), request.url.path


def _without_database(request: Request, error: DatabaseError) -> ProblemError:
    _log.error("request failed request=%s path=%s error=%s", *_request_and_path(request), error)
    if isinstance(error, StatementTimeoutError):
        detail = "the database of the service took too long for this; try again later"
        return ProblemError("unavailable", detail, headers={"Retry-After": "10"})
    detail = "the database of the service cannot be reached; try again later"
    return ProblemError("unavailable", detail, headers={"Retry-After": "5"})


def _unavailable(request: Request, error: ArtifactError) -> ProblemError:
    _log.warning(
        "request failed request=%s path=%s store of files: %s", *_request_and_path(request), error
    )
    if error.errno in _FULL:
        return ProblemError("storage-full", "the store of the service is full; try again later")
    detail = "the store of the service's files cannot be used at the moment; try again"
    return ProblemError("unavailable", detail, headers={"retry-after": "10"})


def _of_http(request: Request, error: HTTPException) -> ProblemError:
    code = _BY_STATUS[error.status_code]
    if code != "method-not-allowed":
        return ProblemError(code, str(error.detail), headers=error.headers)
    allowed = ", ".join(_allowed_methods(request))
    detail = f"{request.method} is not allowed here; allowed: {allowed}"
    return ProblemError(code, detail, headers={"allow": allowed})


def _invalid(error: RequestValidationError) -> ProblemError:
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return ProblemError("malformed-request", "the body is not JSON")
    faults = [
        Fault(pointer=_pointer(item["loc"]), detail=str(item["msg"]).removeprefix("Value error, "))
        for item in error.errors()[:MOST_FAULTS]
    ]
    return ProblemError("invalid-request", _summary(faults), faults=faults)


def _summary(faults: Sequence[Fault]) -> str:
    return "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults[:3])


def _pointer(location: Sequence[str | int]) -> str:
    """Write where something is as a JSON Pointer.

    >>> _pointer(("body", "labels", "a/b")), _pointer(("query", "limit"))
    ('/labels/a~1b', '/query/limit')
    """
    parts = location[1:] if location[:1] == ("body",) else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _allowed_methods(request: Request) -> list[str]:
    """Ask the routes which methods they would take at this path; what takes GET, takes HEAD."""
    routes = request.app.router.routes
    allowed = {
        method
        for method in _METHODS
        for route in routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return sorted({*allowed, "HEAD"} if "GET" in allowed else allowed)
