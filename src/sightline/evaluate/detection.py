"""How well objects were found: average precision against ground truth. It runs no detector.

Average precision as in PASCAL VOC since 2010: Everingham et al., "The PASCAL Visual Object
Classes Challenge: A Retrospective", IJCV 111, 2015, section 3.2.2 and "VOC2012 Development Kit",
section 3.4.1: the area under the precision-recall curve at every point, with precision made
monotonically decreasing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sightline.boxes import iou_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sightline.detections import Detections

__all__ = ["AveragePrecision", "JudgedFrame", "average_precision"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedFrame:
    """What is in a frame and what was found there.

    Attributes:
        truth: The objects in the frame.
        found: What a detector reported, in any order, with the class ids of `truth`.
        difficult: bool (N,), objects of `truth` that need not be found: missing them costs
            nothing, finding them gains nothing. None: there are no such objects.
    """

    truth: Detections
    found: Detections
    difficult: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        names = self.truth.class_names, self.found.class_names
        if all(names) and names[0] != names[1]:
            raise ValueError(f"truth and found name their classes differently: {names}")
        if self.difficult is not None and self.difficult.shape != (len(self.truth),):
            raise ValueError(
                f"difficult must have shape ({len(self.truth)},), one flag per object of truth, "
                f"but has {self.difficult.shape}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision:
    """Average precision of a detector.

    Attributes:
        by_class: In [0, 1], by class name (number where there are no names), for each class of
            which there is something to be found.
    """

    by_class: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The mean over the classes; NaN if there is nothing to be found."""
        return sum(self.by_class.values()) / len(self.by_class) if self.by_class else math.nan


def average_precision(
    frames: Sequence[JudgedFrame], *, iou_threshold: float = 0.5
) -> AveragePrecision:
    """Judge what a detector found.

    The reported objects of a class are gone through from the most to the least confident. Each
    is held against the object of its class and frame with the highest IoU: it is right if that
    reaches the threshold and nobody claimed the object before, it does not count if the object is
    difficult, and else it is wrong.

    Args:
        frames: The frames, in any order.
        iou_threshold: In (0, 1].
    """
    names = next((frame.truth.class_names for frame in frames if frame.truth.class_names), ())
    class_ids = sorted({int(k) for frame in frames for k in frame.truth.class_id})
    by_class = {}
    for class_id in class_ids:
        curve = _Curve()
        for frame in frames:
            _judge(curve, frame, class_id, iou_threshold)
        if curve.wanted:
            name = names[class_id] if class_id < len(names) else str(class_id)
            by_class[name] = curve.area()
    return AveragePrecision(by_class=by_class)


@dataclass(slots=True)
class _Curve:
    """Verdicts on one class over all frames."""

    wanted: int = 0
    confidence: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def area(self) -> float:
        order = np.argsort(-np.array(self.confidence), kind="stable")
        right = np.cumsum(np.array(self.right, np.int64)[order])
        precision = right / np.arange(1, len(right) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        gained = np.diff(right, prepend=0) / self.wanted
        return float((envelope * gained).sum())


def _judge(curve: _Curve, frame: JudgedFrame, class_id: int, iou_threshold: float) -> None:
    wanted = frame.truth.class_id == class_id
    truth, found = frame.truth[wanted], frame.found[frame.found.class_id == class_id]
    difficult = np.zeros(len(truth), np.bool_)
    if frame.difficult is not None:
        difficult = frame.difficult[wanted]
    curve.wanted += int(np.count_nonzero(~difficult))
    found = found[np.argsort(-found.confidence, kind="stable")]
    overlaps = iou_matrix(found.xyxy, truth.xyxy)
    claimed = np.zeros(len(truth), np.bool_)
    for confidence, overlap in zip(found.confidence.tolist(), overlaps, strict=True):
        nearest = int(overlap.argmax()) if len(truth) else -1
        is_hit = nearest >= 0 and overlap[nearest] >= iou_threshold
        if is_hit and difficult[nearest]:
            continue
        curve.confidence.append(confidence)
        curve.right.append(bool(is_hit and not claimed[nearest]))
        if is_hit:
            claimed[nearest] = True
