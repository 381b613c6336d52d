"""Working out what the outputs of a loaded model mean: their layout, and the class names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.detect.class_names import default_names, names_in, read_names
from sightline.detect.layouts.layout import Signature
from sightline.detect.layouts.recognition import build_head, recognise
from sightline.errors import ModelError

if TYPE_CHECKING:
    from sightline.detect.layouts.layout import Head, Layout
    from sightline.detect.onnx_model import OnnxModel

__all__ = ["Interpretation", "interpret"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """What a model means.

    Attributes:
        head: Decodes its outputs.
        reason: Why this layout.
        class_names: Names by class id; empty if unknown.
    """

    head: Head
    reason: str
    class_names: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """State it as JSON values."""
        return {
            "layout": self.head.layout.value,
            "layout_reason": self.reason,
            "class_count": len(self.class_names) or self.head.class_count,
        }


def interpret(
    model: OnnxModel,
    *,
    layout: Layout | None = None,
    names: tuple[str, ...] | Path | None = None,
) -> Interpretation:
    """Work out what a model means; runs it once.

    Args:
        model: The model.
        layout: Layout of its outputs; None: recognise it.
        names: Class names, or a file with them; None: those in the model, else those of COCO if
            the number of classes says so.

    Raises:
        ModelError: The model does not run, its layout is unknown, or the number of names differs
            from the number of classes.
    """
    given = read_names(names) if isinstance(names, Path) else names or names_in(model.metadata)
    signature = Signature(
        image=model.image,
        outputs=model.measure_outputs(),
        metadata=model.metadata,
        class_names=given,
    )
    if layout is None:
        layout, reason = recognise(signature)
    else:
        reason = "given"
    head = build_head(layout, signature)
    images = model.image.batch or 1
    if any(signature.outputs[name][0] != images for name in head.outputs):
        raise ModelError(
            f"the outputs must have one row per image of the {images} given, but the model has "
            f"{signature.describe_outputs()}"
        )
    if head.class_count is not None and given and len(given) != head.class_count:
        raise ModelError(
            f"read as layout {layout.value}, the model has {head.class_count} classes, but there "
            f"are {len(given)} names: give the right names, or the right layout"
        )
    return Interpretation(
        head=head,
        reason=reason,
        class_names=given or default_names(head.class_count),
    )
