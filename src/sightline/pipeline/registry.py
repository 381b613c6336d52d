"""Names for stages, sinks and trackers in pipeline files; other packages extend it.

A package adds names through entry points of the groups `sightline.stages`, `sightline.sinks` and
`sightline.trackers`:

    [project.entry-points."sightline.stages"]
    blur = "mypackage.blur:Blur"

A name with a colon, `module:Class`, is imported as it stands.
"""

from __future__ import annotations

import importlib
import inspect
from enum import Enum
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from sightline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Kind", "create", "lookup", "names"]


class Kind(Enum):
    """A kind of component; the value is the name of its entry point group."""

    STAGE = "sightline.stages"
    SINK = "sightline.sinks"
    TRACKER = "sightline.trackers"

    @property
    def word(self) -> str:
        """The kind in a sentence: `stage`, `sink`, `tracker`."""
        return self.name.lower()


_BUILT_IN: dict[Kind, dict[str, str]] = {
    Kind.STAGE: {
        "detect": "sightline.pipeline.stages:Detect",
        "draw": "sightline.pipeline.stages:Draw",
        "per-object": "sightline.pipeline.per_object:PerObject",
        "track": "sightline.pipeline.stages:Track",
    },
    Kind.SINK: {
        "coco": "sightline.sinks.coco:CocoFile",
        "csv": "sightline.sinks.csv:CsvFile",
        "jsonl": "sightline.sinks.jsonl:JsonlFile",
        "mot": "sightline.sinks.mot:MotFile",
        "parquet": "sightline.sinks.parquet:ParquetFile",
        "tracks": "sightline.sinks.tracks:TracksFile",
        "video": "sightline.sinks.video:VideoFile",
        "web": "sightline.live.web:Web",
        "window": "sightline.live.window:Window",
    },
    Kind.TRACKER: {
        "sort": "sightline.tracking.sort:Sort",
    },
}


def _known(kind: Kind) -> dict[str, EntryPoint]:
    known = {point.name: point for point in entry_points(group=kind.value)}
    for name, value in _BUILT_IN[kind].items():
        known[name] = EntryPoint(name=name, value=value, group=kind.value)
    return known


def names(kind: Kind) -> list[str]:
    """List the known names of a kind, sorted; names of this package win over others."""
    return sorted(_known(kind))


def lookup(kind: Kind, name: str) -> Any:
    """Find the class behind a name.

    Raises:
        PipelineError: The name is unknown, or what it stands for cannot be imported.
    """
    if ":" in name:
        point = EntryPoint(name=name, value=name, group=kind.value)
    else:
        known = _known(kind)
        if name not in known:
            raise PipelineError(
                f"there is no {kind.word} {name!r}; known: {', '.join(sorted(known))}, "
                "or module:Class for your own"
            )
        point = known[name]
    importlib.invalidate_caches()
    try:
        return point.load()
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}: {error.msg}"
        raise PipelineError(f"cannot load the {kind.word} {name!r}: {where}") from error
    except (ImportError, AttributeError) as error:
        raise PipelineError(f"cannot load the {kind.word} {name!r}: {error}") from error


def create(kind: Kind, name: str, parameters: Mapping[str, Any]) -> Any:
    """Make the component behind a name from the parameters of its constructor.

    Raises:
        PipelineError: The name is unknown or stands for no class, or a parameter is unknown,
            missing or wrong.
    """
    component = lookup(kind, name)
    if not callable(component):
        raise PipelineError(f"{kind.word} {name!r} is to name a class, but is {component!r}")
    try:
        signature = inspect.signature(component)
    except ValueError as error:  # what is written in C need not have one
        raise PipelineError(f"{kind.word} {name!r} is to name a class: {error}") from error
    try:
        signature.bind(**parameters)
    except TypeError as error:
        accepted = ", ".join(signature.parameters) or "none"
        raise PipelineError(f"{kind.word} {name!r}: {error}; it takes: {accepted}") from error
    try:
        return component(**parameters)
    except (TypeError, ValueError) as error:
        raise PipelineError(f"{kind.word} {name!r}: {error}") from error
