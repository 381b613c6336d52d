"""The grids that YOLO heads predict on: how many cells a head has, and where they are."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cell_count", "cell_positions", "find_strides"]

_STRIDES = (4, 8, 16, 32, 64, 128)
_LEVELS = [
    _STRIDES[first:end] for first, end in combinations(range(len(_STRIDES) + 1), 2) if first < 3
]


def cell_count(size: tuple[int, int], strides: tuple[int, ...]) -> int:
    """Count the grid cells of all levels.

    Args:
        size: (height, width) of the model input in pixels.
        strides: Pixels per cell, one per level.

    >>> cell_count((416, 416), (8, 16, 32))
    3549
    """
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


def find_strides(size: tuple[int, int], count: int) -> tuple[int, ...] | None:
    """Find the levels, consecutive powers of two, that have `count` cells in all.

    The finest of them is 4, 8 or 16, as in every known head; coarser ones alone have so few cells
    that anything could be taken for them.

    >>> find_strides((640, 640), 8400), find_strides((640, 640), 300)
    ((8, 16, 32), None)
    """
    return next((levels for levels in _LEVELS if cell_count(size, levels) == count), None)


def cell_positions(size: tuple[int, int], strides: tuple[int, ...]) -> NDArray[np.float32]:
    """List the cells of all levels, row by row: float32 (N, 3) column, row, stride.

    >>> cell_positions((8, 16), (8,)).tolist()
    [[0.0, 0.0, 8.0], [1.0, 0.0, 8.0]]
    """
    parts = []
    for stride in strides:
        rows, columns = np.mgrid[0 : -(-size[0] // stride), 0 : -(-size[1] // stride)]
        parts.append(np.stack([columns, rows, np.full_like(rows, stride)], -1).reshape(-1, 3))
    return np.concatenate(parts).astype(np.float32)
