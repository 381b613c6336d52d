"""What is asked of a service, and in which order, without the asking: flows of calls.

A flow is a generator that yields calls and pauses, is sent the responses, and returns what came
of it. `sync` and `asynchronous` carry flows out; so both clients do exactly the same.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.client.answers import RemoteJob, check, explain, parse_job, read_json
from sightline.errors import MediaError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    import httpx

    from sightline.client.arrival import Arrival

__all__ = [
    "Call",
    "Flow",
    "Pause",
    "act",
    "delete",
    "download",
    "list_jobs",
    "list_results",
    "one_job",
    "submit",
    "upload",
    "wait_for",
]

T = TypeVar("T")

_LONGEST_POLL_S = 20.0
_PIECE_BYTES = 8 * 2**20
_MOST_TRIES = 8
_LONGEST_PAUSE_S = 5.0
"""Between tries; together they outlast a restart of the service."""
_LONGEST_ASKED_PAUSE_S = 60.0
"""A service that is busy for longer than this is not waited for."""
_FIRST_REST_S, _LONGEST_REST_S = 0.05, 1.0
_LOCKED = 423
_BUSY = (_LOCKED, 429, 502, 503, 504)
_CONFLICT = 409
_NOT_FOUND = 404
_OUT_OF_STEP = (408, _CONFLICT, 460)
"""Refusals of a piece of an upload that may be sent again from where the service is: it was too
slow, at another offset, or damaged."""
_TUS = {"tus-resumable": "1.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request.

    Attributes:
        method: As in HTTP.
        path: Below the address of the service, or a whole address.
        params: Query parameters.
        json: Body as JSON values.
        content: Body as bytes.
        headers: Further header fields.
        wait_s: How long the service may take longer than usual for its answer.
        into: Takes the body of a success as it comes; None: it is read as a whole.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    into: Arrival | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait before going on.

    Attributes:
        seconds: How long.
        reason: What came instead of an answer that was hoped for; "" if nothing went wrong.
    """

    seconds: float
    reason: str = ""


Flow = Generator[Call | Pause, "httpx.Response | ServiceError", T]
"""Yields what to do; is sent a response, or the error of a call that got none."""


def submit(body: Mapping[str, Any], *, idempotency_key: str) -> Flow[RemoteJob]:
    """Submit a job whose video the service has, or can fetch.

    Repeating it is harmless thanks to the key, so it is repeated when the service cannot be
    reached or is busy.
    """
    call = Call(
        method="POST",
        path="/v1/jobs",
        json=dict(body),
        headers={"idempotency-key": idempotency_key},
    )
    return parse_job(read_json((yield from _ask(call))))


def upload(file: BinaryIO, *, name: str, size: int) -> Flow[str]:
    """Upload a file in pieces (tus 1.0), going on where it was when the connection broke.

    Returns:
        The name of the upload, for `submit`.
    """
    import base64

    # Names of files are bytes, which need not be UTF-8.
    encoded = base64.b64encode(name.encode(errors="replace")).decode()
    headers = {**_TUS, "upload-length": str(size), "upload-metadata": f"filename {encoded}"}
    created = yield from _ask(Call(method="POST", path="/v1/uploads", headers=headers))
    place = _header(created, "location")
    offset = 0
    while offset < size:
        offset = yield from _send_piece(file, place, offset)
    return place.rstrip("/").rsplit("/", 1)[-1]


def _send_piece(file: BinaryIO, place: str, offset: int) -> Flow[int]:
    """Send one piece; return where the service has come to."""
    for tried in range(_MOST_TRIES):
        file.seek(offset)
        headers = {
            **_TUS,
            "upload-offset": str(offset),
            "content-type": "application/offset+octet-stream",
        }
        content = file.read(_PIECE_BYTES)
        if not content:
            raise MediaError(f"{file.name} has become shorter while it was uploaded; try it again")
        answer = yield Call(method="PATCH", path=place, headers=headers, content=content)
        if not isinstance(answer, ServiceError) and answer.is_success:
            return int(_header(answer, "upload-offset"))
        if not (_is_passing(answer) or _is_out_of_step(answer)):
            check(answer)
        yield _pause(answer, tried)
        state = yield from _ask(Call(method="HEAD", path=place, headers=_TUS))
        reached = int(_header(state, "upload-offset"))
        if reached > offset:
            return reached
        offset = reached
    raise ServiceError(f"the upload of {file.name} is broken off again and again; try it later")


def wait_for(job_id: str) -> Flow[RemoteJob]:
    """Wait by long polls until a job is in a terminal state."""
    job = yield from one_job(job_id)
    pause_s = _FIRST_REST_S
    while not job.terminal:
        # A job that runs changes twice a second; who waits for its end need not see all of it.
        yield Pause(seconds=pause_s)
        pause_s = min(2 * pause_s, _LONGEST_REST_S)
        job = yield from one_job(job_id, newer_than=job.version)
    return job


def one_job(job_id: str, *, newer_than: int | None = None) -> Flow[RemoteJob]:
    """Ask for a job; with a version, wait a while for a newer one."""
    params = {} if newer_than is None else {"wait": _LONGEST_POLL_S, "version": newer_than}
    wait_s = 0.0 if newer_than is None else _LONGEST_POLL_S
    call = Call(method="GET", path=f"/v1/jobs/{job_id}", params=params, wait_s=wait_s)
    return parse_job(read_json((yield from _ask(call))))


def list_jobs(params: Mapping[str, Any]) -> Flow[tuple[list[RemoteJob], str | None]]:
    """Ask for one page of jobs; return it with the cursor of the next one."""
    answer = read_json((yield from _ask(Call(method="GET", path="/v1/jobs", params=params))))
    return [parse_job(job) for job in answer["jobs"]], answer["next_cursor"]


def act(job_id: str, action: str) -> Flow[RemoteJob]:
    """Cancel or retry a job; return it as it is then."""
    call = Call(method="POST", path=f"/v1/jobs/{job_id}/{action}")
    answer = yield from _ask(call, done_before=_CONFLICT)
    if answer.is_success:
        return parse_job(read_json(answer))
    return (yield from one_job(job_id))


def delete(job_id: str) -> Flow[None]:
    """Remove a job."""
    yield from _ask(Call(method="DELETE", path=f"/v1/jobs/{job_id}"), done_before=_NOT_FOUND)


def list_results(job_id: str) -> Flow[list[dict[str, Any]]]:
    """Ask for the files that can be downloaded."""
    answer = yield from _ask(Call(method="GET", path=f"/v1/jobs/{job_id}/results"))
    found: list[dict[str, Any]] = read_json(answer)["results"]
    return found


def download(job_id: str, format_name: str, arrival: Arrival) -> Flow[Path]:
    """Fetch a result, going on where it was when the connection broke.

    Tries count anew whenever more of it has arrived than ever before. One that begins anew with
    each connection, since it has no `ETag` or another one, gets no further by that.
    """
    path = f"/v1/jobs/{job_id}/results/{format_name}"
    tried = most = 0
    while True:
        answer = yield Call(method="GET", path=path, headers=arrival.headers, into=arrival)
        if not isinstance(answer, ServiceError) and answer.is_success:
            return arrival.finish()
        if arrival.received > most:
            tried, most = 0, arrival.received
        if not _is_passing(answer) or tried + 1 == _MOST_TRIES:
            check(answer)
        yield _pause(answer, tried)
        tried += 1


def _ask(call: Call, *, done_before: int | None = None) -> Flow[httpx.Response]:
    """Make a call that may be repeated, and repeat it while the service is away or busy.

    Args:
        call: The call.
        done_before: The status that says, if an earlier try got no answer, that this one did what
            was asked.

    Raises:
        ServiceError: The service refuses it, or stays away.
    """
    is_unclear = False
    for tried in range(_MOST_TRIES):
        answer = yield call
        if not _is_passing(answer) or tried + 1 == _MOST_TRIES:
            break
        is_unclear |= isinstance(answer, ServiceError)
        yield _pause(answer, tried)
    if is_unclear and not isinstance(answer, ServiceError) and answer.status_code == done_before:
        return answer
    return check(answer)


def _is_passing(answer: httpx.Response | ServiceError) -> bool:
    """Tell whether the same call may go better soon."""
    if isinstance(answer, ServiceError):
        return True
    return answer.status_code in _BUSY and _asked_pause_s(answer) <= _LONGEST_ASKED_PAUSE_S


def _is_out_of_step(answer: httpx.Response | ServiceError) -> bool:
    return not isinstance(answer, ServiceError) and answer.status_code in _OUT_OF_STEP


def _pause(answer: httpx.Response | ServiceError, tried: int) -> Pause:
    """Choose how long to wait before the next try; as long as the service asks for, if it does."""
    if isinstance(answer, ServiceError):
        return Pause(seconds=_growing_s(tried), reason=str(answer))
    seconds = _asked_pause_s(answer) or _growing_s(tried)
    return Pause(seconds=seconds, reason=explain(answer))


def _growing_s(tried: int) -> float:
    return min(0.25 * 2.0**tried, _LONGEST_PAUSE_S)


def _asked_pause_s(answer: httpx.Response) -> float:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0


def _header(answer: httpx.Response, name: str) -> str:
    if name not in answer.headers:
        raise ServiceError(f"what answers at {answer.url} is no job service of Sightline")
    return str(answer.headers[name])
