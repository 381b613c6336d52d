"""The closed form against the textbook: one 7×7 filter per track."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.tracking.kalman import Filters

TRANSITION = np.eye(7) + np.eye(7, k=4)
OBSERVATION = np.eye(4, 7)
MEASURED = np.diag([1.0, 1.0, 10.0, 10.0])  # as the module has it, but not divided out
STEP = np.diag([1.0, 1.0, 1.0, 1.0, 0.01, 0.01, 0.0001])
START = np.diag([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])


class Textbook:
    """A Kalman filter as in every introduction."""

    def __init__(self, measured):
        self.mean = np.concatenate((measured, np.zeros(3)))
        self.covariance = START.copy()

    def predict(self):
        if self.mean[2] + self.mean[6] <= 0:
            self.mean[6] = 0
        self.mean = TRANSITION @ self.mean
        self.covariance = TRANSITION @ self.covariance @ TRANSITION.T + STEP

    def correct(self, measured):
        residual_covariance = OBSERVATION @ self.covariance @ OBSERVATION.T + MEASURED
        gain = self.covariance @ OBSERVATION.T @ np.linalg.inv(residual_covariance)
        self.mean = self.mean + gain @ (measured - OBSERVATION @ self.mean)
        self.covariance = (np.eye(7) - gain @ OBSERVATION) @ self.covariance


def begun(measured):
    filters = Filters(measured.shape[1])
    filters.begin(measured)
    return filters


def boxes(rng, count):
    """Draw u, v, s, r of plausible boxes, (4, count)."""
    width, height = rng.uniform(10, 200, (2, count))
    u, v = rng.uniform(0, 2000, (2, count))
    return np.stack((u, v, width * height, width / height))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_it_equals_a_filter_with_matrices_for_every_track(seed, count, hits):
    rng = np.random.default_rng(seed)
    measured = boxes(rng, count)
    textbook = [Textbook(column) for column in measured.T]
    filters = begun(measured)
    for hit in hits:
        filters.predict()
        filters.states[...] = filters.predicted
        for one in textbook:
            one.predict()
        if hit:
            measured = boxes(rng, count)
            filters.correct(measured.ravel())
            for one, column in zip(textbook, measured.T, strict=True):
                one.correct(column)
        expected = np.array([one.mean for one in textbook]).T
        assert filters.states[0] == pytest.approx(expected[:4], rel=1e-7, abs=1e-7)
        assert filters.states[1, :3] == pytest.approx(expected[4:], rel=1e-7, abs=1e-6)
        variance = np.array([np.diag(one.covariance) for one in textbook]).T
        unit = np.diag(MEASURED)[:, None]
        assert filters.states[2] * unit == pytest.approx(variance[:4], rel=1e-7)
        assert filters.states[4, :3] * unit[:3] == pytest.approx(variance[4:], rel=1e-6)


def test_a_box_that_moves_steadily_is_predicted_where_it_will_be():
    steady = np.array([[100.0], [50.0], [4000.0], [0.4]])
    change = np.array([[7.0], [-3.0], [20.0], [0.0]])
    filters = begun(steady)
    for frame in range(1, 200):
        filters.predict()
        filters.states[...] = filters.predicted
        filters.correct((steady + frame * change).ravel())
    filters.predict()
    assert filters.predicted[0] == pytest.approx(steady + 200 * change, rel=1e-6)


def test_an_area_never_shrinks_to_nothing():
    filters = begun(np.array([[0.0, 0.0], [0.0, 0.0], [100.0, 100.0], [1.0, 1.0]]))
    filters.states[1, 2] = [-100.0, -99.0]
    filters.predict()
    assert filters.predicted[0, 2].tolist() == [100.0, 1.0]
    assert filters.predicted[1, 2].tolist() == [0.0, -99.0]


def test_the_aspect_ratio_has_no_rate():
    filters = begun(np.array([[0.0], [0.0], [100.0], [1.0]]))
    for ratio in (1.5, 2.0, 2.5):
        filters.predict()
        filters.states[...] = filters.predicted
        filters.correct(np.array([0.0, 0.0, 100.0, ratio]))
    assert filters.states[1, 3] == 0.0
    filters.predict()
    assert filters.predicted[0, 3] == filters.states[0, 3]


def test_the_row_of_the_owner_is_carried_along():
    filters = begun(np.array([[0.0], [0.0], [100.0], [1.0]]))
    filters.states[7, :, 0] = [1.0, 2.0**53, -1.0, 0.0]
    filters.predict()
    assert np.array_equal(filters.predicted[7], filters.states[7])


def test_no_track_at_all_is_a_number_of_tracks():
    filters = Filters(0)
    filters.correct(np.empty(0))
    filters.predict()
    assert filters.predicted.shape == (8, 4, 0)
