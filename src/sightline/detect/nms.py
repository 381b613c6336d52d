"""Non-maximum suppression: of boxes that overlap, keep the most confident."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Suppression", "suppress"]

_BLOCK = 256
"""Boxes compared at a time: measured best from 60 boxes to 8,400."""


class Suppression(Enum):
    """Which boxes compete with each other.

    `CLASS_WISE`: boxes of the same class.
    `AGNOSTIC`: all boxes, so that one object cannot be found as two classes.
    """

    CLASS_WISE = "class-wise"
    AGNOSTIC = "agnostic"


def suppress(
    xyxy: NDArray[np.float32],
    confidence: NDArray[np.float32],
    *,
    class_id: NDArray[np.integer] | None = None,
    iou: float,
) -> NDArray[np.intp]:
    """Choose boxes greedily: the most confident one, then the next that overlaps none chosen.

    The result equals that of the plain loop over sorted boxes, whatever the number of boxes; the
    comparisons are vectorised in blocks.

    Args:
        xyxy: (N, 4) left, top, right, bottom.
        confidence: (N,); equal values are taken in the order given.
        class_id: (N,); boxes of different classes do not compete. None: all compete.
        iou: Two boxes overlap if their intersection over union is greater than this, in [0, 1].

    Returns:
        Indices of the chosen boxes, most confident first.

    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)
    >>> suppress(boxes, np.array([0.6, 0.9, 0.7], np.float32), iou=0.5).tolist()
    [1, 2]
    """
    order = np.argsort(-confidence, kind="stable")
    boxes = xyxy[order]
    classes = np.zeros(len(order), np.int32) if class_id is None else class_id[order]
    kept = np.empty(0, np.intp)
    for start in range(0, len(order), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(order)))
        if len(kept):
            beaten = _overlaps(boxes[kept], boxes[block], iou=iou)
            beaten &= classes[kept, None] == classes[block]
            block = block[~beaten.any(axis=0)]
        overlaps = _overlaps(boxes[block], boxes[block], iou=iou)
        overlaps &= classes[block, None] == classes[block]
        kept = np.concatenate([kept, block[_greedy(overlaps)]])
    chosen: NDArray[np.intp] = order[kept]
    return chosen


def _overlaps(
    one: NDArray[np.float32], other: NDArray[np.float32], *, iou: float
) -> NDArray[np.bool_]:
    """Compare each box of one set with each of another: (N, M).

    Written without a division, so that boxes without an area overlap nothing, and column by
    column: that makes suppression two to seven times as fast as `boxes.iou_matrix` would.
    """
    left, top, right, bottom = one.T[:, :, None]
    width = np.minimum(right, other[:, 2]) - np.maximum(left, other[:, 0])
    height = np.minimum(bottom, other[:, 3]) - np.maximum(top, other[:, 1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = _areas(one)[:, None] + _areas(other) - intersection
    return np.asarray(intersection > np.float32(iou) * union)


def _areas(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas


def _greedy(overlaps: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Walk down the sorted boxes of one block; only those that overlap a later one cost a step."""
    beats = np.triu(overlaps, 1)
    alive = np.ones(len(overlaps), np.bool_)
    for row in np.flatnonzero(beats.any(axis=1)).tolist():
        if alive[row]:
            alive[beats[row]] = False
    return np.flatnonzero(alive)
