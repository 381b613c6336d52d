"""Which sinks a run has: the output formats by name, and a sink of its own for every stream."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sightline.errors import PipelineError
from sightline.pipeline.ending import at_end
from sightline.pipeline.registry import Kind, create
from sightline.sinks.file import FileSink
from sightline.sinks.sink import Sink, StreamSinks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.stream import StreamInfo

__all__ = [
    "ALL_FORMATS",
    "DEFAULT_FORMATS",
    "close_shared",
    "file_name",
    "make_sinks",
    "sinks_for",
]

_FILE_NAMES = {
    "tracks": "tracks.json",
    "jsonl": "detections.jsonl",
    "csv": "tracks.csv",
    "mot": "mot.txt",
    "coco": "coco.json",
    "parquet": "tracks.parquet",
    "video": "annotated.mp4",
}
_METHODS = ("open", "write", "close", "discard")
_TABLES_OF_TRACKS = ("csv", "mot", "parquet")

ALL_FORMATS = tuple(_FILE_NAMES)
DEFAULT_FORMATS = tuple(name for name in ALL_FORMATS if name != "parquet")
"""All but `parquet`, which needs an extra."""


def file_name(format_name: str) -> str:
    """Name the file that a format is written to.

    >>> file_name("mot")
    'mot.txt'
    """
    return _FILE_NAMES[format_name]


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


def sinks_for(
    sinks: Iterable[Sink | StreamSinks], stream: StreamInfo, *, streams: int
) -> list[Sink]:
    """Choose the sinks for one of the streams of a run.

    Args:
        sinks: As the user gave them.
        stream: Which stream.
        streams: How many the run has.

    Raises:
        PipelineError: A sink that takes one stream is meant to take several, or what was made for
            one is no sink.
    """
    chosen: list[Sink] = []
    for sink in sinks:
        made: Any = sink.for_stream(stream) if isinstance(sink, StreamSinks) else sink
        if made is sink and streams > 1:
            raise PipelineError(f"there are {streams} streams, but {_only_one(sink)}")
        if not isinstance(made, Sink):
            maker = type(sink).__name__
            raise PipelineError(f"{maker}.for_stream gave {made!r}, no sink: {_missing(made)}")
        chosen.append(made)
    return chosen


def close_shared(sinks: Iterable[Sink | StreamSinks]) -> None:
    """Release what the sinks of the streams of a run shared, such as a web server."""
    with ExitStack() as stack:
        for sink in reversed([*sinks]):
            close = getattr(sink, "close", None) if isinstance(sink, StreamSinks) else None
            if close is not None:
                stack.push(at_end(close))


def _missing(sink: object) -> str:
    lacks = [name for name in _METHODS if not hasattr(sink, name)]
    return f"it has no {', '.join(lacks)}"


def _only_one(sink: Sink | StreamSinks) -> str:
    kind = type(sink).__name__
    if isinstance(sink, FileSink):
        return f"{kind} writes one file, {sink.path}: put {{stream}} into its path"
    return f"{kind} takes one: give it a method for_stream that makes a sink for each"
