"""Which pipelines a service offers, what their parameters may be, and how they become definitions.

A client chooses a pipeline by name and gives parameters; what runs is made here, of what the
operator allows. Nothing of a client's goes into a definition before the JSON Schema of the pipeline
has let it pass, and no schema lets paths, addresses or names of code pass.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from sightline.errors import PipelineError, SightlineError
from sightline.pipeline.definition import load_definition
from sightline.pipeline.stages import Draw, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "DRAWN_TRAIL_FRAMES",
    "MOST_FAULTS",
    "Defined",
    "FilePipeline",
    "Offer",
    "Offers",
    "ParameterError",
    "ParameterFault",
    "drawing",
    "pointer_to",
    "unknown_parameter",
]

DRAWN_TRAIL_FRAMES = 30
MOST_FAULTS = 20
"""Of what is wrong with a request, no more is told, nor looked for."""
_MOST_SHOWN = 60
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NO_PARAMETERS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {},
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterFault:
    """What is wrong with a parameter.

    Attributes:
        pointer: Where, as a JSON Pointer into the parameters; "" for all of them.
        detail: What, for people.
    """

    pointer: str
    detail: str


class ParameterError(SightlineError, ValueError):
    """The parameters do not fit the pipeline.

    Attributes:
        faults: What is wrong, the first `MOST_FAULTS` of it.
    """

    def __init__(self, faults: Iterable[ParameterFault]) -> None:
        self.faults = tuple(islice(faults, MOST_FAULTS))
        super().__init__("; ".join(f"{f.pointer or 'params'}: {f.detail}" for f in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """A pipeline with its parameters, ready to be put into a job.

    Attributes:
        params: All parameters, those left out with their defaults.
        definition: The pipeline in the form of a pipeline file.
        tracked: Its results have track ids.
    """

    params: Mapping[str, Any]
    definition: Mapping[str, Any]
    tracked: bool


class Offer(Protocol):
    """A pipeline that clients may choose."""

    @property
    def name(self) -> str:
        """What clients call it."""

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema (draft 2020-12) of its parameters."""

    def describe(self) -> Mapping[str, Any]:
        """Say more about what can be chosen at present; JSON."""

    def define(self, params: Mapping[str, Any], outputs: Iterable[str]) -> Defined:
        """Make the definition.

        Raises:
            ParameterError: The parameters do not fit.
        """


class Offers:
    """The pipelines of a service by name; the first is the default.

    Raises:
        PipelineError: There is none, or two have one name.
    """

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._offers: dict[str, Offer] = {}
        for offer in offers:
            if offer.name in self._offers:
                raise PipelineError(f"two pipelines have the name {offer.name!r}; rename one")
            self._offers[offer.name] = offer
        if not self._offers:
            raise PipelineError("a service offers at least one pipeline")

    def __iter__(self) -> Iterator[Offer]:
        return iter(self._offers.values())

    @property
    def default(self) -> Offer:
        """What a client gets that names none."""
        return next(iter(self))

    def get(self, name: str) -> Offer | None:
        """Find a pipeline."""
        return self._offers.get(name)


class FilePipeline:
    """A pipeline file of the operator's, offered as it is: clients give it no parameters.

    The file has stages alone: videos come from clients, and results go to the service's folder.

    Args:
        name: What clients call it: lower-case letters, digits, `-` and `_`.
        path: The file.

    Raises:
        PipelineError: The file cannot be used, or the name is not one.
    """

    schema: Mapping[str, Any] = _NO_PARAMETERS

    def __init__(self, name: str, path: Path) -> None:
        if not _NAME.fullmatch(name):
            raise PipelineError(
                f"a pipeline's name has lower-case letters, digits, '-' and '_', not {name!r}"
            )
        definition = load_definition(path)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        extra = sorted(content.keys() - {"stages"})
        if extra:
            raise PipelineError(
                f"{path}: a pipeline of the service has stages only; remove {', '.join(extra)}"
            )
        self.name = name
        stages = definition.pipeline.stages
        self._stages = _as_json(content["stages"], path)
        self._tracked = any(isinstance(stage, Track) for stage in stages)
        self._draws = any(isinstance(stage, Draw) for stage in stages)
        self.summary = " → ".join(stage.name for stage in stages)

    def describe(self) -> Mapping[str, Any]:
        """Say nothing more."""
        return {}

    def define(self, params: Mapping[str, Any], outputs: Iterable[str]) -> Defined:
        """Make the definition; see `Offer`."""
        if params:
            detail = "this pipeline takes no parameters"
            raise ParameterError(
                ParameterFault(pointer=pointer_to([name]), detail=detail) for name in params
            )
        drawn = [] if self._draws else drawing(outputs, tracked=self._tracked)
        return Defined(
            params={}, definition={"stages": [*self._stages, *drawn]}, tracked=self._tracked
        )


def unknown_parameter(name: str, known: Iterable[str]) -> ParameterFault:
    """Say that there is no parameter of a name, and which one may be meant.

    >>> unknown_parameter("confidnce", ["confidence", "nms"]).detail
    "there is no parameter 'confidnce'; did you mean 'confidence'?"
    """
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    shown = name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}…"
    return ParameterFault(
        pointer=pointer_to([name]), detail=f"there is no parameter {shown!r}{hint}"
    )


def pointer_to(path: Iterable[str | int]) -> str:
    """Write where something is in the parameters as a JSON Pointer.

    >>> pointer_to(["classes", 0]), pointer_to(["a/b"])
    ('/classes/0', '/a~1b')
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def drawing(outputs: Iterable[str], *, tracked: bool) -> list[Any]:
    """Give the stages to append so that an annotated video shows something.

    >>> drawing(["mot", "video"], tracked=True), drawing(["mot"], tracked=True)
    ([{'draw': {'trails': 30}}], [])
    """
    if "video" not in outputs:
        return []
    return [{"draw": {"trails": DRAWN_TRAIL_FRAMES}} if tracked else "draw"]


def _as_json(value: Any, path: Path) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise PipelineError(f"{path}: a parameter is no JSON value: {error}") from error
