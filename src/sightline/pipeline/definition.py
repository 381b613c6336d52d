"""Pipelines in YAML: which stages with which parameters, from where, to where.

source: street.mp4            # optional; the command line may name it instead
stages:
- detect: {detector: yolox-s, confidence: 0.3}
- track: {tracker: {sort: {max_age: 3}}}
- draw                      # a stage without parameters
- my_module:MyStage: {strength: 2}
sinks:                        # optional
- mot: {path: out/mot.txt}
- video: {path: out/annotated.mp4}

Several sources, each by itself or with what is to be said of it, and processes to share the work:

sources:
- yard.mp4
- {url: rtsp://cam-1/live, name: north, mode: freshest, restart: always}
handlers: 4                   # or auto
stages:
- detect
sinks:
- mot: {path: "out/{stream}.txt"}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml

from sightline.errors import PipelineError
from sightline.pipeline.arguments import as_handlers
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.registry import Kind, create
from sightline.pipeline.stream_spec import StreamSpec, parse_stream_spec

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.sinks.sink import Sink, StreamSinks

__all__ = ["Definition", "load_definition", "parse_definition"]

_KEYS = ("source", "sources", "handlers", "stages", "sinks")
_NESTED = {"tracker": Kind.TRACKER, "stage": Kind.STAGE}
"""Parameters that are components themselves: a name, or a name with parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A pipeline as its file defines it; nothing is opened or loaded yet.

    Attributes:
        pipeline: The stages.
        sinks: Fresh sinks for one run.
        sources: What to open, if the file says so.
        handlers: How many processes run the stateless stages; None: the file does not say.
    """

    pipeline: Pipeline
    sinks: tuple[Sink | StreamSinks, ...]
    sources: tuple[StreamSpec, ...] = ()
    handlers: int | Literal["auto"] | None = None


def load_definition(path: Path) -> Definition:
    """Read a pipeline file.

    Raises:
        PipelineError: The file cannot be read, is no YAML, or defines no pipeline.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise PipelineError(f"cannot read the pipeline file {path}: {reason}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "malformed"
        raise PipelineError(f"{path}{line}: this is not valid YAML: {problem}") from error
    except ValueError as error:  # a date that is none
        raise PipelineError(f"{path}: a value makes no sense: {error}") from error
    try:
        return parse_definition(content)
    except PipelineError as error:
        raise PipelineError(f"{path}: {error}") from error


def parse_definition(content: Any) -> Definition:
    """Build a pipeline from the content of a pipeline file.

    Raises:
        PipelineError: Something is unknown, missing or wrong; the message says where.
    """
    if not isinstance(content, dict):
        raise PipelineError("a pipeline file is a mapping with the key 'stages'")
    unknown = [str(key) for key in content if key not in _KEYS]
    if unknown:
        raise PipelineError(f"unknown key {unknown[0]!r}; known: {', '.join(_KEYS)}")
    return Definition(
        pipeline=Pipeline([_component(Kind.STAGE, item) for item in _list(content, "stages")]),
        sinks=tuple(_component(Kind.SINK, item) for item in _list(content, "sinks")),
        sources=_sources(content),
        handlers=None if (given := content.get("handlers")) is None else as_handlers(given),
    )


def _sources(content: dict[str, Any]) -> tuple[StreamSpec, ...]:
    one = content.get("source")
    several = _list(content, "sources")
    if one is not None and several:
        raise PipelineError("both 'source' and 'sources' are given; put all into 'sources'")
    specs = tuple(map(parse_stream_spec, several if one is None else [one]))
    names = [spec.name for spec in specs if spec.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise PipelineError(f"{names.count(name)} sources have the name {name!r}")
    return specs


def _list(content: dict[str, Any], key: str) -> list[Any]:
    items = content.get(key) or []
    if not isinstance(items, list):
        raise PipelineError(f"{key!r} must be a list, but is of type {type(items).__name__}")
    return items


def _component(kind: Kind, item: Any) -> Any:
    """Make a component from `name`, or from a mapping of one name to parameters."""
    if isinstance(item, str):
        item = {item: None}
    if not isinstance(item, dict) or len(item) != 1:
        raise PipelineError(
            f"a {kind.word} is a name, or one name with parameters, but is {item!r}"
        )
    ((name, parameters),) = item.items()
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        raise PipelineError(f"{kind.word} {name!r}: parameters are a mapping, not {parameters!r}")
    return create(
        kind,
        str(name),
        {
            str(key): _component(_NESTED[key], value) if key in _NESTED else value
            for key, value in parameters.items()
        },
    )
