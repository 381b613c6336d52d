"""Intersection over union of two sets of boxes: of all pairs, or of those that touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Boxes", "Pairs", "overlap_matrix", "touching_pairs"]


class Boxes(NamedTuple):
    """N boxes of positive width and height.

    Attributes:
        mirrored: float64 (4, N): −right, −bottom, left, top. With these the corners of an
            intersection are the maximum of all four rows.
        area: float64 (N,).
    """

    mirrored: NDArray[np.float64]
    area: NDArray[np.float64]


class Pairs(NamedTuple):
    """Pairs of a row and a column, each at most once, with a positive weight.

    Attributes:
        rows: intp (E,).
        columns: intp (E,).
        weights: float64 (E,).
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    weights: NDArray[np.float64]

    def take(self, indices: NDArray[np.intp]) -> Pairs:
        """Select pairs by index."""
        return Pairs(
            self.rows.take(indices), self.columns.take(indices), self.weights.take(indices)
        )


def overlap_matrix(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Compute the intersection over union of every pair.

    Returns:
        float64 (N, M), in [0, 1].
    """
    inner = np.maximum(first.mirrored[:, :, None], second.mirrored[:, None])
    size = inner[:2] + inner[2:]  # −width and −height; positive where the boxes are apart
    np.minimum(size, 0.0, out=size)
    overlap: NDArray[np.float64] = np.multiply(size[0], size[1])
    union = first.area[:, None] + second.area
    union -= overlap
    overlap /= union
    return overlap


def touching_pairs(first: Boxes, second: Boxes) -> Pairs:
    """Find the pairs that intersect, and their intersection over union, by a sweep along x.

    Two intervals overlap if and only if the one that begins later begins inside the other. So the
    candidates are runs of sorted left edges, and the time goes with the number of pairs that
    overlap in x instead of that of all pairs.
    """
    later_rows, columns = _beginnings_inside(first, second, "left")
    later_columns, rows = _beginnings_inside(second, first, "right")
    rows = np.concatenate((later_rows, rows))
    columns = np.concatenate((columns, later_columns))
    height = _mirrored_extent(first, second, rows, columns, axis=1)
    near = (height < 0.0).nonzero()[0]
    rows, columns = rows.take(near), columns.take(near)
    overlap = _mirrored_extent(first, second, rows, columns, axis=0)
    overlap *= height.take(near)
    union = first.area.take(rows) + second.area.take(columns)
    union -= overlap
    return Pairs(rows, columns, overlap / union)


def _beginnings_inside(
    inner: Boxes, outer: Boxes, side: Literal["left", "right"]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the boxes of `inner` whose left edge lies inside a box of `outer`.

    Args:
        inner: The boxes that begin.
        outer: The boxes in which they begin.
        side: "left" to count a common left edge as inside, "right" to not do so.

    Returns:
        Indices into `inner` and into `outer`, a pair each.
    """
    left = inner.mirrored[2]
    order = left.argsort()
    edges = left.take(order)
    begin = edges.searchsorted(outer.mirrored[2], side)
    count = edges.searchsorted(-outer.mirrored[0], "left") - begin
    np.maximum(count, 0, out=count)  # a box may be too narrow for float64, with one edge for both
    outer_index = np.arange(len(count)).repeat(count)
    offset = begin + count - count.cumsum()
    position = np.arange(len(outer_index)) + offset.take(outer_index)
    return order.take(position), outer_index


def _mirrored_extent(
    first: Boxes, second: Boxes, rows: NDArray[np.intp], columns: NDArray[np.intp], *, axis: int
) -> NDArray[np.float64]:
    """Compute −width (axis 0) or −height (axis 1) of intersections; positive for boxes apart."""
    extent: NDArray[np.float64] = np.maximum(
        first.mirrored[axis].take(rows), second.mirrored[axis].take(columns)
    )
    near = np.maximum(first.mirrored[axis + 2].take(rows), second.mirrored[axis + 2].take(columns))
    extent += near
    return extent
