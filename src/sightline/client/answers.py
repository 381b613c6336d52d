"""What a service answers: jobs as values, and problems as errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["RemoteJob", "check", "parse_job", "read_json"]


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
    problem = _problem(answer)
    title = problem.get("title") or answer.reason_phrase
    detail = problem.get("detail")
    wrong = "; ".join(
        f"{item.get('pointer', '')}: {item.get('detail', '')}" for item in problem.get("errors", [])
    )
    parts = [str(part) for part in (title, detail, wrong) if part]
    raise ServiceError(
        f"the service refused: {' - '.join(dict.fromkeys(parts))}",
        status=answer.status_code,
        code=str(problem.get("type", "")).rpartition(":")[2],
    )


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


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """Read a problem document (RFC 9457); an empty one if there is none."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
