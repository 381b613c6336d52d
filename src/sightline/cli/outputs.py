"""Output formats of the command line, and the folder that the outputs of a video go to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sightline.errors import OutputError
from sightline.pipeline.registry import Kind, create

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.sinks.sink import Sink

__all__ = ["ALL_FORMATS", "DEFAULT_FORMATS", "make_sinks", "split_formats", "write_json"]

_FILE_NAMES = {
    "tracks": "tracks.json",
    "jsonl": "detections.jsonl",
    "csv": "tracks.csv",
    "mot": "mot.txt",
    "coco": "coco.json",
    "parquet": "tracks.parquet",
    "video": "annotated.mp4",
}
_TABLES_OF_TRACKS = ("csv", "mot", "parquet")
ALL_FORMATS = tuple(_FILE_NAMES)
DEFAULT_FORMATS = tuple(name for name in ALL_FORMATS if name != "parquet")
"""All but `parquet`, which needs an extra."""


def split_formats(text: str) -> tuple[str, ...]:
    """Split format names at the commas and check them; for `type=` of an option."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ALL_FORMATS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(ALL_FORMATS)}.")
    return names


def make_sinks(formats: Iterable[str], folder: Path, *, tracked: bool) -> list[Sink]:
    """Make a fresh sink for each format; its file lies in `folder`.

    Without a tracker, tables of tracks hold all detections, with −1 as id.
    """
    sinks: list[Sink] = []
    for name in dict.fromkeys(formats):
        parameters: dict[str, Any] = {"path": folder / _FILE_NAMES[name]}
        if name in _TABLES_OF_TRACKS and not tracked:
            parameters["untracked"] = "write"
        sinks.append(create(Kind.SINK, name, parameters))
    return sinks


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
