"""Where the results of a job lie, and what they are called outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sightline.errors import FormatError
from sightline.jobs.files import RESULTS_INDEX, SUMMARY
from sightline.jobs.results import IndexNotBegunError, ResultsReader
from sightline.jobs.states import JobState
from sightline.pipeline.outputs import ALL_FORMATS, file_name
from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.jobs.shelf import Shelf

__all__ = ["MEDIA_TYPES", "ask_index", "find_result", "list_results"]

_Answer = TypeVar("_Answer")

_RETRY_AFTER = "5"

MEDIA_TYPES = {
    "tracks": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "mot": "text/plain",
    "coco": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "video": "video/mp4",
    "summary": "application/json",
}
"""The files that can be downloaded, by format; `summary` is there whatever was asked for."""


def find_result(shelf: Shelf, format_name: str) -> Path:
    """Find the file of a format.

    Raises:
        ProblemError: The job has none; status 404.
        ArtifactError: It cannot be fetched.
    """
    name = _name(format_name)
    path = None if name is None else shelf.result(name)
    if path is None and shelf.state is JobState.EXPIRED:
        raise _no_results(shelf)
    if path is None:
        raise ProblemError(
            "no-result", f"the job has no {format_name!r}: it was not asked for, or not made yet"
        )
    return path


def list_results(shelf: Shelf) -> list[tuple[str, str, int]]:
    """List the formats that can be downloaded, with the names and sizes of their files.

    Raises:
        ArtifactError: Nobody knows at the moment.
    """
    sizes = shelf.results()
    found = ((format_name, _name(format_name) or "") for format_name in MEDIA_TYPES)
    return [(format_name, name, sizes[name]) for format_name, name in found if name in sizes]


def ask_index(shelf: Shelf, question: Callable[[ResultsReader], _Answer]) -> _Answer:
    """Ask the index of the results, of the final pass that runs or of the one that counts.

    A final pass may begin, be published or be removed while its index is opened and read: then the
    question is asked once more, of the index that is there now.

    Args:
        shelf: Has the index.
        question: Reads from it; may be called several times.

    Raises:
        ProblemError: There are no results, yet or any more, or whoever writes them was killed in
            the middle of it, so that they cannot be read before the next attempt; status 404 or
            503.
        FormatError: The index of the results that count cannot be read.
        ArtifactError: It cannot be fetched.
    """
    path = shelf.growing_index() or shelf.result(RESULTS_INDEX)
    if path is None:
        raise _no_results(shelf)
    try:
        return _asked(path, question)
    except FormatError:
        return _ask_again(shelf, question)


def _ask_again(shelf: Shelf, question: Callable[[ResultsReader], _Answer]) -> _Answer:
    problem = _no_results(shelf)
    growing = shelf.growing_index()
    if growing is not None:
        try:
            return _asked(growing, question)
        except IndexNotBegunError:
            pass
        except FormatError:
            detail = "the results of the job cannot be read at the moment; try again"
            problem = ProblemError("unavailable", detail, headers={"Retry-After": _RETRY_AFTER})
    path = shelf.result(RESULTS_INDEX)
    if path is None:
        raise problem
    return _asked(path, question)


def _asked(path: Path, question: Callable[[ResultsReader], _Answer]) -> _Answer:
    with ResultsReader(path) as index:
        return question(index)


def _no_results(shelf: Shelf) -> ProblemError:
    if shelf.state is JobState.EXPIRED:
        detail = "the results of the job were removed when they had been kept long enough"
    elif shelf.state.terminal:
        detail = "the job has ended without results"
    else:
        detail = "the job has no results yet"
    return ProblemError("no-result", detail)


def _name(format_name: str) -> str | None:
    if format_name == "summary":
        return SUMMARY
    return file_name(format_name) if format_name in ALL_FORMATS else None
