"""The output formats by name, and the files that they stand for in a folder of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.pipeline.registry import Kind, create

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.sinks.sink import Sink

__all__ = ["ALL_FORMATS", "DEFAULT_FORMATS", "make_sinks"]

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


def make_sinks(formats: Iterable[str], folder: Path, *, tracked: bool) -> list[Sink]:
    """Make a fresh sink for each format; its file lies in `folder`.

    Without a tracker, tables of tracks hold all detections, with −1 as id.

    Raises:
        KeyError: A name is none of `ALL_FORMATS`.
    """
    sinks: list[Sink] = []
    for name in dict.fromkeys(formats):
        parameters: dict[str, Any] = {"path": folder / _FILE_NAMES[name]}
        if name in _TABLES_OF_TRACKS and not tracked:
            parameters["untracked"] = "write"
        sinks.append(create(Kind.SINK, name, parameters))
    return sinks
