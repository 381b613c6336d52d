"""The options of ONNX detectors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.detect.nms import Suppression
from sightline.detect.option_numbers import check_number, check_whole_number

if TYPE_CHECKING:
    from sightline.detect.layouts.layout import Layout
    from sightline.detect.onnx_runtime import Provider

__all__ = ["OnnxOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxOptions:
    """How an ONNX detector detects and what it runs on.

    Attributes:
        confidence: Only detections with a greater confidence count; in [0, 1).
        nms: Boxes whose intersection over union is greater compete; in [0, 1].
        suppression: Which boxes compete: those of one class, or all.
        classes: Names or ids of the classes to detect; None: all.
        max_detections: At most so many per frame, the most confident ones.
        layout: Layout of the outputs; None: recognise it.
        names: Class names, or a file with them; None: those of the model.
        size: (width, height) of the input, for models that leave it free.
        provider: What executes the model; None: the best that is installed.
        parallel: Runs at once; None: one per core on a CPU, one on an accelerator.
        threads_per_run: Threads inside one run; None: the cores divided by `parallel`.
    """

    confidence: float = 0.3
    nms: float = 0.45
    suppression: Suppression = Suppression.CLASS_WISE
    classes: tuple[str | int, ...] | None = None
    max_detections: int = 300
    layout: Layout | None = None
    names: tuple[str, ...] | Path | None = None
    size: tuple[int, int] | None = None
    provider: Provider | None = None
    parallel: int | None = None
    threads_per_run: int | None = None

    def __post_init__(self) -> None:
        check_number("confidence", self.confidence)
        check_number("nms", self.nms)
        if not 0 <= self.confidence < 1:
            raise ValueError(f"confidence must be in [0, 1), but is {self.confidence}")
        if not 0 <= self.nms <= 1:
            raise ValueError(f"nms must be in [0, 1], but is {self.nms}")
        if self.classes is not None and not self.classes:
            raise ValueError("classes must name at least one class; None stands for all")
        counts = {
            "max_detections": (self.max_detections,),
            "parallel": (self.parallel,),
            "threads_per_run": (self.threads_per_run,),
            "size": self.size or (),
        }
        for name, values in counts.items():
            given = [value for value in values if value is not None]
            for value in given:
                check_whole_number(name, value)
            if any(value < 1 for value in given):
                raise ValueError(f"{name} must be 1 or more, but is {getattr(self, name)}")

    def describe(self) -> dict[str, Any]:
        """State all options as JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
