"""Looking into model files, for people who wonder why a model does not do what they expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.detect.interpretation import interpret
from sightline.detect.onnx_model import OnnxModel
from sightline.detect.onnx_runtime import Provider, ThreadPlan
from sightline.errors import ModelError
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.detect.layouts.layout import Layout, TensorInfo

__all__ = ["ModelInfo", "inspect_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known about a model file.

    Attributes:
        path: The file.
        sha256: Its digest.
        size_bytes: Its size.
        inputs: Inputs as declared.
        outputs: Outputs as declared.
        metadata: Custom metadata.
        input_size: (width, height) that frames are fitted into.
        layout: Layout of the outputs; None if it was not recognised.
        reason: Why this layout, or why none.
        class_names: Names by class id; empty if unknown.
    """

    path: Path
    sha256: str
    size_bytes: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    input_size: tuple[int, int]
    layout: Layout | None
    reason: str
    class_names: tuple[str, ...]


def inspect_model(path: Path, *, size: tuple[int, int] | None = None) -> ModelInfo:
    """Load a model file on the CPU, run it once, and say what a detector would make of it.

    Args:
        path: The file.
        size: (width, height) of the input where the model leaves it free.

    Raises:
        ModelError: The file cannot be loaded, or has not the inputs of a detector. Outputs that
            are not understood are no error here: `layout` is None and `reason` says why.
    """
    plan = ThreadPlan(parallel=1, threads_per_run=usable_cores())
    model = OnnxModel.load(path, providers=(Provider.CPU,), plan=plan, size=size)
    try:
        found = interpret(model)
        layout, reason, names = found.head.layout, found.reason, found.class_names
    except ModelError as error:
        layout, reason, names = None, str(error), ()
    return ModelInfo(
        path=path,
        sha256=model.sha256,
        size_bytes=path.stat().st_size,
        inputs=model.inputs,
        outputs=model.outputs,
        metadata=model.metadata,
        input_size=(model.image.width, model.image.height),
        layout=layout,
        reason=reason,
        class_names=names,
    )
