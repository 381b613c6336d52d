"""What callers may give to the methods of a pipeline, checked before anything is opened.

It knows names and kinds of arguments; what their values mean is the business of who takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeVar

from sightline.errors import PipelineError
from sightline.media.source import Source
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.inline import RunOptions
from sightline.pipeline.stream_spec import StreamSpec
from sightline.sinks.sink import Sink, StreamSinks

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["as_handlers", "as_options", "as_sinks", "as_sources", "check_source"]

Options = TypeVar("Options", RunOptions, GraphOptions)

_METHODS = ("open", "write", "close", "discard")
_EXAMPLE = {RunOptions: "sl.RunOptions(max_failures=10)", GraphOptions: "sl.GraphOptions()"}


def as_handlers(value: Any) -> int | Literal["auto"]:
    """Take a number of handlers as it stands in a call or in a pipeline file.

    Raises:
        PipelineError: It is neither a whole number from 1 nor `auto`.
    """
    if value == "auto":
        return "auto"
    is_whole = isinstance(value, SupportsIndex) and not isinstance(value, bool)
    if is_whole and index(value) >= 1:
        return index(value)
    raise PipelineError(f"'handlers' is a number of processes or auto, but is {value!r}")


def as_options(value: Any, kind: type[Options], *, why: str) -> Options:
    """Take the options of a run, or the usual ones for None.

    Args:
        value: What was given.
        kind: What it must be.
        why: In a few words, what makes it so.

    Raises:
        PipelineError: They are options of something else.
    """
    if value is None:
        return kind()
    if isinstance(value, kind):
        return value
    raise PipelineError(
        f"{why}, so 'options' must be {kind.__name__}, but is {value!r}; "
        f"write options={_EXAMPLE[kind]}"
    )


def as_sources(value: Any) -> Sequence[StreamSpec | str | int | Path | Source]:
    """Take one source or several, each for a stream of its own."""
    is_one = isinstance(value, str | bytes | Source) or not isinstance(value, Sequence)
    return [value] if is_one else value


def check_source(value: Any) -> None:
    """Make sure that this is what a run in one process can read.

    Raises:
        PipelineError: It is something else, or needs a graph.
    """
    if isinstance(value, str | int | PathLike | Source):
        return
    if isinstance(value, StreamSpec):
        raise PipelineError(
            "a StreamSpec is for a graph: give 'handlers', such as handlers='auto', or name only "
            "its source"
        )
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        raise PipelineError(
            f"a list of sources, here of {len(value)}, needs 'handlers', such as handlers='auto'; "
            "without them name one source, and run the pipeline once for each"
        )
    raise PipelineError(f"a source is a path, URL or camera index, not {value!r}")


def as_sinks(value: Any) -> tuple[Sink | StreamSinks, ...]:
    """Take the sinks of a run.

    Raises:
        PipelineError: They are no list, or something in it is no sink.
    """
    if isinstance(value, str | Sink | StreamSinks) or not isinstance(value, Iterable):
        raise PipelineError(f"'sinks' must be a list of sinks, but is {value!r}")
    sinks = tuple(value)
    for sink in sinks:
        _check_sink(sink)
    return sinks


def _check_sink(sink: Any) -> None:
    if isinstance(sink, type):
        raise PipelineError(
            f"among 'sinks' is the class {sink.__name__}; make an object of it: {sink.__name__}(…)"
        )
    if isinstance(sink, Sink | StreamSinks):
        return
    missing = ", ".join(name for name in _METHODS if not hasattr(sink, name))
    raise PipelineError(
        f"among 'sinks' is an object of the class {type(sink).__name__}, which is no sink: it has "
        f"no {missing}; a sink has the methods {', '.join(_METHODS)}, or for_stream, which makes "
        "one for each stream"
    )
