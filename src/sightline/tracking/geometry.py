"""Boxes as SORT sees them: from corners to measurements, from states back to corners.

All arrays are float64 with one column per box, in pixels. **Mirrored** corners are −right,
−bottom, left, top: with them the corners of an intersection are the maximum of all four rows.
The classes are workspaces for a number of boxes, made once and filled again and again: see
`kalman.Filters` for the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.tracking.overlap import Boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Estimates", "Measurements"]

_MEASURE = np.array(  # of left, top, right, bottom
    [
        [0.5, 0.0, 0.5, 0.0],  # u
        [0.0, 0.5, 0.0, 0.5],  # v
        [0.0, 0.0, 0.0, 0.0],  # s, which is not linear
        [0.0, 0.0, 0.0, 0.0],  # r, which is not linear
        [0.0, 0.0, -1.0, 0.0],  # −right
        [0.0, 0.0, 0.0, -1.0],  # −bottom
        [1.0, 0.0, 0.0, 0.0],  # left
        [0.0, 1.0, 0.0, 0.0],  # top
        [-1.0, 0.0, 1.0, 0.0],  # width
        [0.0, -1.0, 0.0, 1.0],  # height
    ]
)

_ESTIMATE = np.array(  # of u, v, height, width
    [
        [-1.0, 0.0, 0.0, -0.5],  # −right
        [0.0, -1.0, -0.5, 0.0],  # −bottom
        [1.0, 0.0, 0.0, -0.5],  # left
        [0.0, 1.0, -0.5, 0.0],  # top
        [1.0, 0.0, 0.0, 0.5],  # right
        [0.0, 1.0, 0.5, 0.0],  # bottom
    ]
)


class Measurements:
    """What `count` detected boxes tell the filters.

    Attributes:
        count: N.
        values: float64 (4, N): centre u and v, area s, aspect ratio r (width / height).
        flat: float64 (4 N,), the same memory as `values`.
        boxes: The boxes themselves.

    >>> measured = Measurements(1)
    >>> measured.load(np.array([[10, 20, 40, 40]], np.float32))
    True
    >>> measured.values.ravel().tolist(), measured.boxes.mirrored.ravel().tolist()
    ([25.0, 30.0, 600.0, 1.5], [-40.0, -40.0, 10.0, 20.0])
    """

    def __init__(self, count: int) -> None:
        self.count = count
        rows = np.empty((10, count))
        self.values = rows[:4]
        self.flat = self.values.reshape(4 * count)
        self.boxes = Boxes(rows[4:8], rows[2])
        self._rows = rows
        self._area, self._ratio, self._width, self._height = rows[2], rows[3], rows[8], rows[9]
        limits = np.full((8, count), np.inf)  # −∞, −∞, left, top, right, bottom, ∞, ∞
        limits[:2] = -np.inf
        self._corners, self._lower, self._upper = limits[2:6], limits[:6], limits[2:]
        self._ordered = np.empty((6, count), np.bool_)

    def load(self, xyxy: NDArray[np.float32]) -> bool:
        """Measure the boxes of a frame.

        Args:
            xyxy: float32 (N, 4), left, top, right, bottom.

        Returns:
            False if a box is inside out, has no area or is not finite, which makes it impossible
            to measure; the attributes then mean nothing.
        """
        self._corners[...] = xyxy.T
        np.less(self._lower, self._upper, out=self._ordered)
        if np.count_nonzero(self._ordered) != self._ordered.size:
            return False
        _MEASURE.dot(self._corners, self._rows)
        np.multiply(self._width, self._height, out=self._area)
        np.divide(self._width, self._height, out=self._ratio)
        return True


class Estimates:
    """The boxes of `count` tracks, now and predicted for the next frame, both in one go.

    Attributes:
        boxes: float64 (4, N): left, top, right, bottom of the boxes now.
        mirrored: float64 (4, N), mirrored corners of the predicted boxes.

    >>> estimates = Estimates(1)
    >>> now = np.array([[25.0], [30.0], [600.0], [1.5]])
    >>> estimates.load(now, now)
    >>> estimates.boxes.ravel().tolist(), estimates.mirrored.ravel().tolist()
    ([10.0, 20.0, 40.0, 40.0], [-40.0, -40.0, 10.0, 20.0])
    """

    def __init__(self, count: int) -> None:
        values = np.empty((4, 2 * count))
        corners = np.empty((6, 2 * count))
        self.boxes = corners[2:, :count]
        self.mirrored = corners[:4, count:]
        self._values, self._corners = values, corners
        self._now, self._predicted = values[:, :count], values[:, count:]
        self._area, self._ratio = values[2], values[3]

    def load(self, now: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        """Turn states into boxes.

        Args:
            now: float64 (4, N), u, v, s, r, with s and r positive.
            predicted: The same for the next frame.
        """
        self._now[...] = now
        self._predicted[...] = predicted
        width = np.multiply(self._area, self._ratio, out=self._ratio)
        np.sqrt(width, out=width)
        np.divide(self._area, width, out=self._area)  # the height
        _ESTIMATE.dot(self._values, self._corners)
