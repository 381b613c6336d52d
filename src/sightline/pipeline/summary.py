"""What is told of a run when it is over: one JSON object beside the results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sightline.errors import OutputError
from sightline.pipeline.versions import versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.pipeline.report import RunReport
    from sightline.sinks.tally import Tally

__all__ = ["SUMMARY_NAME", "summarise", "write_summary"]

SUMMARY_NAME = "summary.json"
"""Name of the file in the folder of the results."""


def summarise(report: RunReport, tally: Tally) -> dict[str, Any]:
    """State what a run did, what it found, and the versions that did it, as JSON values."""
    return {**report.as_dict(), **tally.as_dict(), "versions": versions()}


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary into the folder of the results, whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    path = folder / SUMMARY_NAME
    part = path.with_name(f"{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(summary, indent=2, default=str) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
