"""What a user says of one stream: where it comes from, how it is paced, what overload does to it.

It travels to other processes; nothing is opened here.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from sightline.errors import PipelineError
from sightline.media.naming import is_address, redact, safe_name
from sightline.media.source import Source

__all__ = [
    "LONGEST_STALENESS_S",
    "OverloadMode",
    "RestartPolicy",
    "StreamSpec",
    "parse_stream_spec",
    "stream_spec_as_dict",
]

OverloadMode = Literal["every-frame", "auto", "freshest"]
RestartPolicy = Literal["never", "on-failure", "always"]

LONGEST_STALENESS_S = 86_400.0
"""A day, in seconds: more than any frame waits."""

_PLACES = {"path": str, "url": str, "camera": int}
"""Keys that say where a stream comes from, and what their values are."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream of a run.

    Attributes:
        source: A path, URL or camera index, as `open_source` takes it; or a `Source`. A source
            that is read by another process must be such that pickle can send it there.
        name: Name of the stream; None: the source's own. It must be safe as a file name.
        rate: Frames per second at which a recording is read; `native`: its own; None: as fast as
            they are taken. Live sources have their own rate.
        mode: What happens if frames come faster than they are processed; None: `auto` for live
            sources, `every-frame` for others. `every-frame` makes the source wait, `auto` drops
            what is older than `staleness_s`, `freshest` all but the newest.
        staleness_s: How old, in seconds, a frame may become in mode `auto` before it is dropped;
            at most a day.
        restart: When to open the source again: `never`, `on-failure` (it failed) or `always`
            (after its end, too); None: `on-failure` for live sources, `never` for others.

    Raises:
        PipelineError: A value is wrong.
    """

    source: str | int | Path | Source
    _: KW_ONLY
    name: str | None = None
    rate: float | Literal["native"] | None = None
    mode: OverloadMode | None = None
    staleness_s: float = 0.5
    restart: RestartPolicy | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, str | int | Path | Source) or isinstance(self.source, bool):
            raise PipelineError(f"a source is a path, URL or camera index, not {self.source!r}")
        if self.source == "":
            raise PipelineError("a source is a path, URL or camera index, but is empty")
        if self.name is not None:
            self._check_name(self.name)
        if self.rate is not None and self.rate != "native":
            self._check_positive("rate", self.rate, " or native")
        self._check_positive("staleness_s", self.staleness_s)
        if self.staleness_s > LONGEST_STALENESS_S:
            raise PipelineError(
                f"{self._label}: staleness_s must be at most {LONGEST_STALENESS_S:g} (a day), but "
                f"is {self.staleness_s!r}"
            )
        self._check_choice("mode", self.mode, get_args(OverloadMode))
        self._check_choice("restart", self.restart, get_args(RestartPolicy))

    @property
    def is_plain(self) -> bool:
        """It says where the stream comes from, and nothing else."""
        return self == StreamSpec(self.source)

    def _check_name(self, name: Any) -> None:
        if not isinstance(name, str) or name != safe_name(name):
            raise PipelineError(
                f"{self._label}: name must be safe as a file name, but is {name!r}; "
                f"{safe_name(str(name))!r} is"
            )

    def _check_positive(self, what: str, value: Any, otherwise: str = "") -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value < math.inf:
            raise PipelineError(
                f"{self._label}: {what} must be a positive number{otherwise}, but is {value!r}"
            )

    def _check_choice(self, what: str, value: Any, choices: tuple[str, ...]) -> None:
        if value is not None and value not in choices:
            raise PipelineError(
                f"{self._label}: {what} must be one of {', '.join(choices)}, but is {value!r}"
            )

    @property
    def place(self) -> str:
        """Where the stream comes from, safe to show: without passwords."""
        if not isinstance(self.source, str | int | Path):
            return type(self.source).__name__
        shown = str(self.source)
        return redact(shown) if "://" in shown else shown

    @property
    def _label(self) -> str:
        return f"source {self.place}"


def parse_stream_spec(content: Any) -> StreamSpec:
    """Read one source as YAML or JSON gives it.

    Args:
        content: A path, URL or camera index; or a mapping with one of the keys `path`, `url` and
            `camera`, and further attributes of `StreamSpec`.

    Raises:
        PipelineError: Something is unknown, missing or wrong.

    >>> parse_stream_spec({"url": "rtsp://cam-1/live", "name": "north"}).name
    'north'
    """
    if not isinstance(content, dict):
        return StreamSpec(content)
    settings = [field.name for field in fields(StreamSpec) if field.name != "source"]
    unknown = [str(key) for key in content if key not in (*_PLACES, *settings)]
    if unknown:
        raise PipelineError(
            f"a source has no {unknown[0]!r}; it has: {', '.join((*_PLACES, *settings))}"
        )
    places = [key for key in _PLACES if key in content]
    if len(places) != 1:
        given = " and ".join(places) or "none"
        raise PipelineError(f"a source has one of {', '.join(_PLACES)}, but {given} is given")
    (place,) = places
    if type(content[place]) is not _PLACES[place]:
        kind = "a number" if place == "camera" else "text"
        raise PipelineError(f"{place!r} of a source is {kind}, not {content[place]!r}")
    return StreamSpec(
        content[place], **{key: value for key, value in content.items() if key in settings}
    )


def stream_spec_as_dict(spec: StreamSpec) -> dict[str, Any]:
    """Write a source as `parse_stream_spec` reads it, for a process in any folder.

    Raises:
        PipelineError: The source is an object, which cannot be written.

    >>> stream_spec_as_dict(StreamSpec("rtsp://cam-1/live", name="north"))
    {'url': 'rtsp://cam-1/live', 'name': 'north'}
    """
    source = spec.source
    if not isinstance(source, str | int | Path):
        raise PipelineError(f"a source that another process opens is named, but is {source!r}")
    place: dict[str, Any]
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        place = {"camera": int(source)}
    elif isinstance(source, str) and is_address(source):
        place = {"url": source}
    else:
        place = {"path": str(Path(source).absolute())}
    others = (f for f in fields(spec) if f.name != "source")
    changed = {f.name: getattr(spec, f.name) for f in others if getattr(spec, f.name) != f.default}
    return {**place, **changed}
