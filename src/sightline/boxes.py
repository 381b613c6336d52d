"""Geometry of boxes: pure functions on arrays of left, top, right, bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["iou_matrix"]


def iou_matrix(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Compute the intersection over union of every box of `a` with every box of `b`.

    A box without area (zero or negative width or height) overlaps nothing, not even itself: its
    row or column is 0.

    Args:
        a: (N, 4), boxes as left, top, right, bottom; finite. An empty list will do for none.
        b: (M, 4), likewise.

    Returns:
        float64 (N, M), in [0, 1].

    Raises:
        ValueError: An array has another shape.

    >>> iou_matrix([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2]]).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    """
    first, second = _boxes(a)[:, None], _boxes(b)[None]
    overlap_sides = np.minimum(first[..., 2:], second[..., 2:])
    overlap_sides -= np.maximum(first[..., :2], second[..., :2])
    overlap = overlap_sides.clip(min=0).prod(axis=-1)
    union = _areas(first) + _areas(second) - overlap
    iou: NDArray[np.float64] = np.divide(
        overlap, union, out=np.zeros_like(overlap), where=overlap > 0
    )
    return iou


def _boxes(values: ArrayLike) -> NDArray[np.float64]:
    boxes = np.asarray(values, np.float64)
    if boxes.size == 0:
        return np.empty((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (N, 4), but have {boxes.shape}")
    return boxes


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(axis=-1)
    return areas
