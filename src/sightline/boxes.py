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
        a: (N, 4), boxes as left, top, right, bottom; finite.
        b: (M, 4), boxes as left, top, right, bottom; finite.

    Returns:
        float64 (N, M), in [0, 1].

    >>> iou_matrix([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2]]).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    """
    first = np.asarray(a, np.float64).reshape(-1, 4)[:, None]
    second = np.asarray(b, np.float64).reshape(-1, 4)[None]
    overlap_sides = np.minimum(first[..., 2:], second[..., 2:])
    overlap_sides -= np.maximum(first[..., :2], second[..., :2])
    overlap = overlap_sides.clip(min=0).prod(axis=-1)
    union = _areas(first) + _areas(second) - overlap
    iou: NDArray[np.float64] = np.divide(
        overlap, union, out=np.zeros_like(overlap), where=overlap > 0
    )
    return iou


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(axis=-1)
    return areas
