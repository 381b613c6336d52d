"""The motion model of SORT: constant-velocity Kalman filters for all tracks of a frame at once.

It knows numbers only: neither boxes in corner form, nor when a track lives or dies.

A track's state is [u, v, s, r, u', v', s']: centre, area and aspect ratio (width / height) of its
box, and the change per frame of the first three; the aspect ratio is taken to be constant (Bewley
et al., arXiv:1602.00763, section 3.2, eq. 1). All noise is diagonal and a rate acts on its own
value alone, so the filter of seven dimensions falls apart into four of the state [value, rate]:

    F = [[1, 1], [0, 1]]    H = [1, 0]    Q = diag(q, q')    R = 1    P = [[a, b], [b, c]]

Variances of a component are counted in units of the variance of its measurement. The rate of the
aspect ratio is known to be zero: there q' = b = c = 0.

Memory: a track is a column of a float64 array (8, 4, N), so that it is moved in one copy. The
middle axis is u, v, s, r; the first is

    0 value   1 rate   2 a   3 b   4 c   5 q   6 q'   7 the owner's: carried along, never read

The noise q, q' travels with the state: this makes the prediction one linear map.

The paper does not print the noise. The constants are identified from what the authors'
implementation returns for the 2D MOT 2015 sequences: least squares over log q, log q', log a and
log c of a new track, per component, on the 4,570 rows of the 259 tracks whose every detection is
without rival, gave each to within 3 % of a power of ten; with these powers every row is reproduced
within 0.0002 px. `tests/integration/tracking/test_noise.py` shows that others fit worse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AREA", "OWNER", "VALUE", "Filters"]

VALUE, OWNER = 0, 7
"""Rows of the state that its owner may read; of `OWNER` all is his."""

AREA = 2
"""Which of u, v, s, r the area is."""

_RATE = 1

_NEW_STATE = np.zeros((8, 4, 1))
_NEW_STATE[2, :, 0] = 10.0, 10.0, 1.0, 1.0  # a
_NEW_STATE[4, :, 0] = 1e4, 1e4, 1e3, 0.0  # c: large, as no rate has been observed (section 3.4)
_NEW_STATE[5, :, 0] = 1.0, 1.0, 0.1, 0.1  # q
_NEW_STATE[6, :, 0] = 1e-2, 1e-2, 1e-5, 0.0  # q'

_STEP = np.eye(8)
_STEP[0, 1] = 1.0  # value + rate
_STEP[2, 3:6] = 2.0, 1.0, 1.0  # a + 2b + c + q
_STEP[3, 4] = 1.0  # b + c
_STEP[4, 6] = 1.0  # c + q'


class Filters:
    """The filters of `count` tracks: a workspace that is filled, corrected and predicted from.

    With ten tracks the time of a frame is its number of NumPy calls, views and new arrays
    included, whatever they compute. So all of them are made once, here, and used again for every
    frame with as many tracks.

    Attributes:
        states: float64 (8, 4, N), to be filled by the owner: by `begin()`, or with `predicted`
            columns of the frame before.
        predicted: float64 (8, 4, N), the states one frame later; valid after `predict()`.

    >>> filters = Filters(1)
    >>> filters.begin(np.array([[50.0], [40.0], [600.0], [1.5]]))
    >>> filters.states[:5, 0, 0].tolist()
    [50.0, 0.0, 10.0, 0.0, 10000.0]
    >>> filters.predict()
    >>> filters.predicted[:5, 0, 0].tolist()
    [50.0, 0.0, 10011.0, 10000.0, 10000.01]
    >>> filters.states[...] = filters.predicted
    >>> filters.correct(np.array([53.0, 40.0, 600.0, 1.5]))
    >>> filters.states[:2, 0, 0].round(3).tolist()
    [53.0, 2.996]
    """

    def __init__(self, count: int) -> None:
        self.states = np.empty((8, 4, count))
        self.predicted = np.empty((8, 4, count))
        self._flat = flat = self.states.reshape(8, 4 * count)
        self._value, self._a, self._b, self._c = flat[0], flat[2], flat[3], flat[4]
        self._mean, self._column = flat[:2], flat[2:4]
        self._residual_variance = np.empty(4 * count)
        self._residual = np.empty(4 * count)
        self._gain = np.empty((2, 4 * count))
        self._rate_gain = self._gain[1]
        self._change = np.empty((2, 4 * count))
        self._flat_predicted = self.predicted.reshape(8, 4 * count)
        self._predicted_area = self.predicted[VALUE, AREA]

    def begin(self, measured: NDArray[np.float64]) -> None:
        """Let all tracks be new, and the first of them as measured, with rate zero (section 3.4).

        Args:
            measured: float64 (4, K), u, v, s, r of the first K tracks.
        """
        self.states[...] = _NEW_STATE
        self.states[VALUE, :, : measured.shape[1]] = measured

    def correct(self, measured: NDArray[np.float64]) -> None:
        """Blend `states`, predicted for this frame, with its measurements.

        K = P Hᵀ (H P Hᵀ + R)⁻¹ = [a, b] / (a + 1); x ← x + K (z − H x); P ← (I − K H) P, whose
        first column is K again, since (1 − a / (a + 1)) [a, b] = K.

        Args:
            measured: float64 (4 N,): u of all tracks, v of all, s of all, r of all.
        """
        np.add(self._a, 1.0, out=self._residual_variance)
        np.divide(self._column, self._residual_variance, out=self._gain)
        np.subtract(measured, self._value, out=self._residual)
        np.multiply(self._gain, self._residual, out=self._change)
        np.add(self._mean, self._change, out=self._mean)
        np.multiply(self._rate_gain, self._b, out=self._residual)
        np.subtract(self._c, self._residual, out=self._c)
        self._column[...] = self._gain

    def predict(self) -> None:
        """Advance `states` by one frame into `predicted`: x ← F x, P ← F P Fᵀ + Q.

        An area that would shrink to nothing stays as it is: its rate is set to zero, in `states`.
        """
        _STEP.dot(self._flat, self._flat_predicted)
        area = self._predicted_area
        if min(area.tolist(), default=1.0) <= 0.0:  # a third of the time of NumPy's, for ten
            self.states[_RATE, AREA, area <= 0.0] = 0.0
            _STEP.dot(self._flat, self._flat_predicted)
