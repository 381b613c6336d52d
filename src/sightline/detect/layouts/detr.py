"""The heads of the DETR family: a fixed number of queries, each at most one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detect.layouts.layout import Candidates, Head, Layout
from sightline.detect.layouts.yolo import count_classes, table_output
from sightline.detect.preprocess import DETR, RF_DETR
from sightline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detect.layouts.layout import Outputs, Signature
    from sightline.detect.preprocess import Fit

__all__ = [
    "DEPLOY_OUTPUTS",
    "DetrDeployHead",
    "DetrHead",
    "DetrJoinedHead",
    "RfDetrHead",
    "paired_outputs",
]

DEPLOY_OUTPUTS = ("labels", "boxes", "scores")
"""The names that tell the deployed form; its shapes alone would fit many models."""


def paired_outputs(signature: Signature) -> tuple[str, str] | None:
    """Find the outputs (B, Q, 4) boxes and (B, Q, C) logits; None if there is no such pair.

    With four classes both have one shape; then the name of the boxes must say so.
    """
    tables = {name: shape for name, shape in signature.outputs.items() if len(shape) == 3}
    boxes = [name for name, shape in tables.items() if shape[2] == 4]
    if len(boxes) > 1:
        boxes = [name for name in boxes if "box" in name or "det" in name]
    if len(tables) != 2 or len(boxes) != 1:
        return None
    (logits,) = tables.keys() - set(boxes)
    return (boxes[0], logits) if tables[boxes[0]][1] == tables[logits][1] else None


class DetrHead(Head):
    """RT-DETR and D-FINE: boxes and logits (Zhao et al., arXiv:2304.08069).

    One query may stand for several classes, as in the authors' post-processing.
    """

    layout = Layout.DETR
    convention = DETR
    overlapping = False

    def __init__(self, signature: Signature) -> None:
        pair = paired_outputs(signature)
        if pair is None:
            raise ModelError(
                "expected two outputs, (B, Q, 4) boxes and (B, Q, C) logits, but the model has "
                f"{signature.describe_outputs()}"
            )
        self.outputs = pair
        self.class_count = signature.outputs[pair[1]][2]

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (Q, 4) and (Q, C); see `Head`."""
        boxes, logits = outputs
        with np.errstate(over="ignore", divide="ignore"):
            threshold = -np.log(1 / np.float64(confidence) - 1)  # of confidence 0: minus infinity
            queries, class_id = np.nonzero(logits > threshold)
            score = 1 / (1 + np.exp(-logits[queries, class_id].astype(np.float32)))
        return Candidates.from_centres(_to_pixels(boxes[queries], fit), score, class_id, fit=fit)


class RfDetrHead(DetrHead):
    """RF-DETR: as `DetrHead`, with another input convention."""

    layout = Layout.RF_DETR
    convention = RF_DETR


class DetrJoinedHead(Head):
    """RT-DETR as Ultralytics exports it: boxes and class scores in one table."""

    layout = Layout.DETR_JOINED
    convention = DETR
    overlapping = False

    def __init__(self, signature: Signature) -> None:
        name, (_, columns) = table_output(signature)
        self.outputs = (name,)
        self.class_count = count_classes(columns, box_values=4)

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (Q, 4+C); see `Head`."""
        (table,) = outputs
        class_id = table[:, 4:].argmax(axis=1)
        score = table[np.arange(len(table)), 4 + class_id].astype(np.float32, copy=False)
        rows = np.flatnonzero(score > confidence)
        boxes = _to_pixels(table[rows, :4], fit)
        return Candidates.from_centres(boxes, score[rows], class_id[rows], fit=fit)


class DetrDeployHead(Head):
    """D-FINE and RT-DETR with their authors' post-processing: finished boxes."""

    layout = Layout.DETR_DEPLOY
    convention = DETR
    overlapping = False

    def __init__(self, signature: Signature) -> None:
        ranks = tuple(len(signature.outputs.get(name, ())) for name in DEPLOY_OUTPUTS)
        if ranks != (2, 3, 2):
            raise ModelError(
                "expected outputs labels (B, Q), boxes (B, Q, 4) and scores (B, Q), but the model "
                f"has {signature.describe_outputs()}"
            )
        self.outputs = DEPLOY_OUTPUTS
        self.class_count = None

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (Q,), (Q, 4) and (Q,); the model was told the size of the frame. See `Head`."""
        del fit
        labels, boxes, scores = outputs
        scores = scores.astype(np.float32, copy=False)
        rows = np.flatnonzero(scores > confidence)
        return Candidates(
            xyxy=boxes[rows].astype(np.float32, copy=False),
            confidence=scores[rows],
            class_id=labels[rows].astype(np.int32),
        )


def _to_pixels(boxes: NDArray[Any], fit: Fit) -> NDArray[np.float32]:
    return boxes.astype(np.float32, copy=False) * np.array(fit.input_size * 2, np.float32)
