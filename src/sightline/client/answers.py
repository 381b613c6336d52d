"""What a service answers: jobs as values, and problems as errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["RemoteJob", "check", "explain", "parse_job", "read_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job as the service describes it.

    Attributes:
        id: Its identity.
        status: `queued`, `running`, `finalizing`, `canceling`, `succeeded`, `failed`, `canceled`
            or `expired`.
        terminal: Nothing more happens to it.
        version: Grows with every change.
        source_name: How the video is called.
        progress: Frames, rate, remaining seconds, chunks, position in the queue.
        partial: Its results cover the beginning of the video only.
        error: Why it failed: `code` and `message`; None if it did not.
        warnings: Sentences for people.
        document: Everything that the service said; see the reference of the HTTP interface.
    """

    id: str
    status: str
    terminal: bool
    version: int
    source_name: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)
    partial: bool = False
    error: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def succeeded(self) -> bool:
        """All of the video was processed."""
        return self.status == "succeeded"


def parse_job(document: Mapping[str, Any]) -> RemoteJob:
    """Read a job object.

    Raises:
        ServiceError: It is none.
    """
    try:
        return RemoteJob(
            id=document["id"],
            status=document["status"],
            terminal=document["terminal"],
            version=document["version"],
            source_name=document["source"]["name"],
            progress=document["progress"],
            partial=document["partial"],
            error=document["error"],
            warnings=tuple(document["warnings"]),
            document=document,
        )
    except (KeyError, TypeError) as error:
        raise ServiceError(f"the service sent something that is no job: {error}") from error


def check(answer: httpx.Response | ServiceError) -> httpx.Response:
    """Give back a response that is a success.

    Raises:
        ServiceError: It is none; with what the service says about the reason.
    """
    if isinstance(answer, ServiceError):
        raise answer
    if answer.is_success:
        return answer
    raise ServiceError(
        f"the service refused: {explain(answer)}",
        status=answer.status_code,
        code=str(_problem(answer).get("type", "")).rpartition(":")[2],
    )


def explain(answer: httpx.Response) -> str:
    """Say in words why a response is no success."""
    problem = _problem(answer)
    title = problem.get("title") or answer.reason_phrase
    parts = [str(part) for part in (title, _reason(problem)) if part]
    return " - ".join(dict.fromkeys(parts))


def read_json(answer: httpx.Response) -> dict[str, Any]:
    """Read the JSON object that a response is.

    Raises:
        ServiceError: It is none.
    """
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServiceError(f"what answers at {answer.url} is no job service of Sightline")
    return document


def _reason(problem: Mapping[str, Any]) -> str:
    """Say what a problem document complains of, each thing once.

    `detail` may be a summary of `errors`, and is left out then.
    """
    detail = str(problem.get("detail") or "")
    faults = problem.get("errors", [])
    if any(str(fault["detail"]) in detail for fault in faults if fault.get("detail")):
        detail = ""
    wrong = [
        ": ".join(str(fault[key]) for key in ("pointer", "detail") if fault.get(key))
        for fault in faults
    ]
    return " - ".join(part for part in (detail, "; ".join(dict.fromkeys(wrong))) if part)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """Read a problem document (RFC 9457); an empty one if there is none."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
