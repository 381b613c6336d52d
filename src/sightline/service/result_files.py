"""Where the results of a job lie, and what they are called outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.jobs.files import RESULTS_INDEX, SUMMARY
from sightline.jobs.results import ResultsReader
from sightline.pipeline.outputs import ALL_FORMATS, file_name
from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.jobs.shelf import Shelf

__all__ = ["MEDIA_TYPES", "find_result", "list_results", "open_index"]

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


def open_index(shelf: Shelf) -> ResultsReader:
    """Open the index of the results, of the final pass that runs or of the one that counts.

    Raises:
        ProblemError: There are no results yet; status 404.
        FormatError: It cannot be read.
        ArtifactError: It cannot be fetched.
    """
    path = shelf.growing_index() or shelf.result(RESULTS_INDEX)
    if path is None:
        raise ProblemError("no-result", "the job has no results yet")
    return ResultsReader(path)


def _name(format_name: str) -> str | None:
    if format_name == "summary":
        return SUMMARY
    return file_name(format_name) if format_name in ALL_FORMATS else None
