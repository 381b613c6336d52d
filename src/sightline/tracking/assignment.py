"""Which detection belongs to which track: the assignment of the greatest total overlap.

The Hungarian method (Bewley et al., arXiv:1602.00763, section 3.3) on the intersection over union
of all detections with all predicted boxes; pairs that overlap too little are rejected afterwards.
With few objects that is one call of SciPy on a small matrix. With many, most pairs do not touch:
only those that do are looked for, and most of these are decided without the method. Both ways
find an optimum of the same problem, hence the same pairs wherever the optimum is unique.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.tracking.overlap import Boxes, Pairs, overlap_matrix, touching_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["associate", "heaviest_matching", "load_solver"]

_DENSE_PAIRS = 6400
"""Up to this number of pairs (80 × 80) the matrix of all is quicker than the search; measured."""

_NONE = np.empty(0, np.intp)


@cache
def load_solver() -> Callable[..., Any]:
    """Import SciPy's Hungarian method, which takes a while: call it before the first frame."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment  # type: ignore[no-any-return]


def associate(
    detected: Boxes, predicted: Boxes, iou_threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Assign detections to tracks so that the sum of their overlaps is greatest.

    Args:
        detected: Boxes of the detections.
        predicted: Boxes of the tracks.
        iou_threshold: Pairs of the optimal assignment with a smaller overlap are rejected.

    Returns:
        Indices of detections, increasing, and the index of the track of each.
    """
    count = detected.area.size * predicted.area.size
    if not count:
        return _NONE, _NONE
    if count <= _DENSE_PAIRS:
        overlap = overlap_matrix(detected, predicted)
        rows, columns = load_solver()(overlap, maximize=True)
        weights = overlap[rows, columns]
    else:
        rows, columns, weights = heaviest_matching(touching_pairs(detected, predicted))
    kept = (weights >= iou_threshold).nonzero()[0]
    if len(kept) < len(rows):
        rows, columns = rows.take(kept), columns.take(kept)
    return rows, columns


def heaviest_matching(pairs: Pairs) -> Pairs:
    """Choose pairs without a common row or column, of the greatest total weight.

    Returns:
        The chosen pairs, by increasing row.

    >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0.5, 0.9, 0.5]))
    >>> heaviest_matching(pairs).weights.tolist()
    [0.5, 0.5]
    """
    settled = _dominant(pairs)
    solved = _solve(_without(settled, pairs))
    chosen = Pairs(*(np.concatenate(both) for both in zip(settled, solved, strict=True)))
    return chosen.take(chosen.rows.argsort())


def _dominant(pairs: Pairs) -> Pairs:
    """Choose the pairs that weigh as much as any two rivals, one in the row, one in the column.

    Some optimum has them all: a matching without such a pair gives up at most one rival in its
    row and one in its column for it, and does not lose; and no two of them share a row or column.
    """
    best = _unrivalled(pairs.rows, pairs.weights) & _unrivalled(pairs.columns, pairs.weights)
    candidates = best.nonzero()[0]
    rivals = pairs.weights.copy()
    rivals[candidates] = 0.0
    bound = _greatest(pairs.rows, rivals)[pairs.rows[candidates]]
    bound += _greatest(pairs.columns, rivals)[pairs.columns[candidates]]
    return pairs.take(candidates[pairs.weights[candidates] >= bound])


def _unrivalled(lines: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which weights are the greatest of their row or column, and are so alone."""
    best = weights == _greatest(lines, weights)[lines]
    alone: NDArray[np.bool_] = best & (np.bincount(lines[best])[lines] == 1)
    return alone


def _greatest(lines: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the greatest weight of each row or column, 0 where it has none."""
    greatest = np.zeros(lines.max(initial=-1) + 1)
    np.maximum.at(greatest, lines, weights)
    return greatest


def _without(settled: Pairs, pairs: Pairs) -> Pairs:
    """Leave out the pairs that share a row or column with a settled one."""
    row_open = np.ones(pairs.rows.max(initial=-1) + 1, np.bool_)
    column_open = np.ones(pairs.columns.max(initial=-1) + 1, np.bool_)
    row_open[settled.rows] = False
    column_open[settled.columns] = False
    both_open = row_open[pairs.rows] & column_open[pairs.columns]
    return pairs.take(both_open.nonzero()[0])


def _solve(pairs: Pairs) -> Pairs:
    """Find the heaviest matching by the Hungarian method on the rows and columns that occur."""
    row_of, row = np.unique(pairs.rows, return_inverse=True)
    column_of, column = np.unique(pairs.columns, return_inverse=True)
    matrix = np.zeros((len(row_of), len(column_of)))
    matrix[row, column] = pairs.weights
    rows, columns = load_solver()(matrix, maximize=True)
    weights = matrix[rows, columns]
    matching = Pairs(row_of[rows], column_of[columns], weights)
    return matching.take(weights.nonzero()[0])
