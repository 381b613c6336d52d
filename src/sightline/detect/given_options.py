"""Options of a detector as users give them: by name, as text, numbers and lists."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.detect.layouts.layout import Layout
from sightline.detect.motion import MotionOptions
from sightline.detect.nms import Suppression
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.onnx_runtime import Provider
from sightline.detect.opening import MOTION
from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sightline.detect.detector import Detector

__all__ = ["read_options"]


def _choice(choices: type[Layout | Provider | Suppression]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        try:
            return choices(value)
        except ValueError:
            listed = ", ".join(choice.value for choice in choices)
            raise ValueError(f"{value!r} is none of {listed}") from None

    return read


def _classes(value: Any) -> tuple[str | int, ...]:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(","))
    return tuple(value)


def _names(value: Any) -> tuple[str, ...] | Path:
    return Path(value) if isinstance(value, str | Path) else tuple(map(str, value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "classes": _classes,
    "layout": _choice(Layout),
    "names": _names,
    "provider": _choice(Provider),
    "size": tuple,
    "suppression": _choice(Suppression),
}


def read_options(
    detector: str | Path | Detector, given: Mapping[str, Any]
) -> OnnxOptions | MotionOptions | None:
    """Make the options of a detector's kind from plain values; None if nothing is given.

    Args:
        detector: What `open_detector` takes.
        given: Values by the names of `OnnxOptions`, or of `MotionOptions` for `motion`. Choices
            are given by their text, classes as a list or separated by commas.

    Raises:
        ModelError: An option is unknown, or its value is wrong.

    >>> read_options("demo", {"classes": "person,car", "layout": "yolov8"}).classes
    ('person', 'car')
    """
    if not given:
        return None
    kind = MotionOptions if detector == MOTION else OnnxOptions
    known = [field.name for field in fields(kind)]
    values = {}
    for name, value in given.items():
        if name not in known:
            raise ModelError(
                f"detector {str(detector)!r} has no option {name!r}; it has: {', '.join(known)}"
            )
        reader = _READERS.get(name) if kind is OnnxOptions else None
        try:
            values[name] = value if reader is None or value is None else reader(value)
        except TypeError as error:
            raise ModelError(f"detector option {name} must be a list, but is {value!r}") from error
        except ValueError as error:
            raise ModelError(f"detector option {name}: {error}") from error
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"detector options: {error}") from error
