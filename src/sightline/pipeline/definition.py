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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from sightline.errors import PipelineError
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.registry import Kind, create

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.sinks.sink import Sink

__all__ = ["Definition", "load_definition", "parse_definition"]

_KEYS = ("source", "stages", "sinks")
_NESTED = {"tracker": Kind.TRACKER, "stage": Kind.STAGE}
"""Parameters that are components themselves: a name, or a name with parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A pipeline as its file defines it; nothing is opened or loaded yet.

    Attributes:
        pipeline: The stages.
        sinks: Fresh sinks for one run.
        source: What to open, if the file says so.
    """

    pipeline: Pipeline
    sinks: tuple[Sink, ...]
    source: str | int | None


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
    source = content.get("source")
    if not isinstance(source, str | int | None) or isinstance(source, bool):
        raise PipelineError(f"'source' is a path, URL or camera index, not {source!r}")
    return Definition(
        pipeline=Pipeline([_component(Kind.STAGE, item) for item in _list(content, "stages")]),
        sinks=tuple(_component(Kind.SINK, item) for item in _list(content, "sinks")),
        source=source,
    )


def _list(content: dict[str, Any], key: str) -> list[Any]:
    items = content.get(key) or []
    if not isinstance(items, list):
        raise PipelineError(f"{key!r} is a list, but is {type(items).__name__}")
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
