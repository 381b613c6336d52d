"""The pipeline that every service offers: detect, and track with SORT."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import jsonschema

from sightline.detect.class_names import class_ids
from sightline.detect.motion import MotionOptions
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.opening import MOTION
from sightline.errors import ModelError
from sightline.jobs.pipelines import (
    MOST_FAULTS,
    Defined,
    ParameterError,
    ParameterFault,
    drawing,
    pointer_to,
    unknown_parameter,
)
from sightline.tracking.sort import Sort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sightline.jobs.detectors import AllowedDetectors

__all__ = ["DetectTrack"]

_FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
_BELOW_ONE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}

_ONNX: dict[str, Any] = {
    "confidence": {
        **_BELOW_ONE,
        "title": "Confidence",
        "description": "Only detections with a greater confidence count.",
    },
    "nms": {
        **_FRACTION,
        "title": "Overlap",
        "description": "Of two boxes of a class with a greater intersection over union, "
        "the weaker is dropped.",
    },
    "classes": {
        "type": ["array", "null"],
        "items": {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 100},
                {"type": "integer", "minimum": 0, "maximum": 100_000},
            ]
        },
        "minItems": 1,
        "maxItems": 100,
        "uniqueItems": True,
        "title": "Classes",
        "description": "Names or numbers of the classes to detect; null: all.",
    },
    "max_detections": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "title": "Most detections",
        "description": "At most so many per frame, the most confident ones.",
    },
}
_MOTION: dict[str, Any] = {
    "history": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100_000,
        "title": "History",
        "description": "Frames over which the background is learned.",
    },
    "warm_up": {
        "type": "integer",
        "minimum": 0,
        "maximum": 100_000,
        "title": "Warm-up",
        "description": "Frames at the start in which nothing is reported.",
    },
    "threshold": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1e6,
        "title": "Threshold",
        "description": "Squared distance, in variances, from which a pixel is not background.",
    },
    "min_area": {
        **_BELOW_ONE,
        "title": "Smallest area",
        "description": "As a fraction of the area of the frame.",
    },
    "min_height": {
        **_BELOW_ONE,
        "title": "Smallest height",
        "description": "As a fraction of the height of the frame.",
    },
}
_SORT: dict[str, Any] = {
    "max_age": {
        "type": "integer",
        "minimum": 0,
        "maximum": 100_000,
        "title": "Longest gap",
        "description": "Frames in a row that a track survives without detection.",
    },
    "min_hits": {
        "type": "integer",
        "minimum": 0,
        "maximum": 100_000,
        "title": "Hits to begin",
        "description": "Hits in a row after the first until a track is reported.",
    },
    "iou_threshold": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "title": "Smallest match",
        "description": "Smallest intersection over union of a detection with a track.",
    },
}


class DetectTrack:
    """Detects with one of the allowed detectors, and tracks with SORT or not at all.

    Args:
        detectors: What clients may choose.
    """

    name = "detect-track"
    summary = "Detect objects and follow them from frame to frame"

    def __init__(self, detectors: AllowedDetectors) -> None:
        self._detectors = detectors

    def describe(self) -> dict[str, Any]:
        """State the detectors, and whether their models are here."""
        return {"detectors": self._detectors.describe()}

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the parameters."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "detector": {
                    "enum": [detector.name for detector in self._detectors],
                    "default": self._detectors.default.name,
                    "title": "Detector",
                },
                **_with_defaults(_ONNX, asdict(OnnxOptions())),
                **_with_defaults(_MOTION, asdict(MotionOptions())),
                "tracker": {"enum": ["sort", "none"], "default": "sort", "title": "Tracker"},
                **_with_defaults(_SORT, Sort().describe()),
            },
            "additionalProperties": False,
            "allOf": [self._options_of_detectors(), _options_of_trackers()],
        }

    def define(self, params: Mapping[str, Any], outputs: Iterable[str]) -> Defined:
        """Make the definition; see `Offer`.

        Raises:
            ParameterError: The parameters do not fit the schema, or a class is unknown.
        """
        self._check(params)
        complete = {
            name: _number(params.get(name, rule["default"]), rule)
            for name, rule in self.schema["properties"].items()
            if self._applies(name, params)
        }
        detector = self._detectors[complete["detector"]]
        options = {key: complete[key] for key in (*_ONNX, *_MOTION) if key in complete}
        stages: list[Any] = [{"detect": {"detector": detector.model, **options}}]
        tracked = complete["tracker"] == "sort"
        if tracked:
            stages.append({"track": {"tracker": {"sort": {key: complete[key] for key in _SORT}}}})
        stages.extend(drawing(outputs, tracked=tracked))
        return Defined(params=complete, definition={"stages": stages}, tracked=tracked)

    def _applies(self, name: str, params: Mapping[str, Any]) -> bool:
        """Tell whether a parameter has a meaning beside the others."""
        detector = self._detectors[params.get("detector", self._detectors.default.name)]
        if name in (_MOTION if detector.model != MOTION else _ONNX):
            return False
        return not (name in _SORT and params.get("tracker") == "none")

    def _check(self, params: Mapping[str, Any]) -> None:
        faults = list(islice(self._misfits(params), MOST_FAULTS))
        if not faults:
            faults = [*self._unknown_options(params), *self._unknown_classes(params)]
        if faults:
            raise ParameterError(faults)

    def _misfits(self, params: Mapping[str, Any]) -> Iterator[ParameterFault]:
        """Find what the schema does not allow, as far as it is asked for.

        What is too long is not looked into: equal entries of a list take its length squared.
        """
        rules, rest = self.schema["properties"], {}
        for name, value in params.items():
            most = rules.get(name, {}).get("maxItems")
            if name not in rules:
                yield unknown_parameter(name, rules)
            elif most is not None and isinstance(value, list) and len(value) > most:
                detail = f"must have at most {most} entries, not {len(value)}"
                yield ParameterFault(pointer=pointer_to([name]), detail=detail)
            else:
                rest[name] = value
        for error in jsonschema.Draft202012Validator(self.schema).iter_errors(rest):
            if error.schema is not False:  # such an error does not say where
                detail = str(error.message)[:300]
                yield ParameterFault(pointer=pointer_to(error.absolute_path), detail=detail)

    def _unknown_options(self, params: Mapping[str, Any]) -> list[ParameterFault]:
        return [
            ParameterFault(
                pointer=f"/{name}", detail="the chosen detector or tracker has no such option"
            )
            for name in params
            if not self._applies(name, params)
        ]

    def _unknown_classes(self, params: Mapping[str, Any]) -> list[ParameterFault]:
        """Look the classes up where they are known without opening the model."""
        detector = self._detectors[params.get("detector", self._detectors.default.name)]
        if params.get("classes") and detector.class_names:
            try:
                class_ids(params["classes"], detector.class_names)
            except ModelError as error:
                return [ParameterFault(pointer="/classes", detail=str(error))]
        return []

    def _options_of_detectors(self) -> dict[str, Any]:
        names = [detector.name for detector in self._detectors if detector.model == MOTION]
        chosen: dict[str, Any] = {"properties": {"detector": {"enum": names}}}
        if self._detectors.default.name not in names:
            chosen["required"] = ["detector"]
        return {"if": chosen, "then": _none_of(_ONNX), "else": _none_of(_MOTION)}


def _options_of_trackers() -> dict[str, Any]:
    none = {"properties": {"tracker": {"const": "none"}}, "required": ["tracker"]}
    return {"if": none, "then": _none_of(_SORT)}


def _none_of(names: Iterable[str]) -> dict[str, Any]:
    return {"properties": dict.fromkeys(names, False)}


def _with_defaults(rules: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**rule, "default": defaults[name]} for name, rule in rules.items()}


def _number(value: Any, rule: Mapping[str, Any]) -> Any:
    """Make a whole number of what JSON Schema takes for one, such as 3.0."""
    return int(value) if rule.get("type") == "integer" else value
