import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.tracking.geometry import Estimates, Measurements

coordinates = st.floats(-1e4, 1e4, width=32)
some_boxes = hnp.arrays(np.float32, st.tuples(st.integers(0, 8), st.just(4)), elements=coordinates)


def measure(xyxy):
    measured = Measurements(len(xyxy))
    assert measured.load(xyxy)
    return measured


@given(some_boxes)
def test_a_measured_box_comes_back_from_its_state(boxes):
    boxes = np.concatenate((boxes[:, :2], boxes[:, :2] + np.abs(boxes[:, 2:]) + 1), axis=1)
    values = measure(boxes).values
    estimates = Estimates(len(boxes))
    estimates.load(values, values)
    corners, mirrored = estimates.boxes.T, estimates.mirrored.T
    assert corners == pytest.approx(boxes, rel=1e-6, abs=1e-6)
    expected = boxes[:, [2, 3, 0, 1]] * [-1, -1, 1, 1]
    assert mirrored == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(some_boxes)
def test_centre_area_and_aspect_ratio_are_those_of_the_box(boxes):
    boxes = np.concatenate((boxes[:, :2], boxes[:, :2] + np.abs(boxes[:, 2:]) + 1), axis=1)
    left, top, right, bottom = boxes.astype(np.float64).T
    u, v, area, ratio = measure(boxes).values
    assert u == pytest.approx((left + right) / 2)
    assert v == pytest.approx((top + bottom) / 2)
    assert area == pytest.approx((right - left) * (bottom - top))
    assert ratio == pytest.approx((right - left) / (bottom - top))


@pytest.mark.parametrize(
    "box",
    [
        [5, 0, 5, 9],
        [0, 9, 5, 9],
        [5, 0, 4, 9],
        [5, 9, 4, 0],
        [np.nan, 0, 5, 9],
        [0, 0, 5, np.nan],
        [-np.inf, 0, 5, 9],
        [0, 0, np.inf, 9],
        [0, -np.inf, 5, np.inf],
        [np.inf, 0, np.inf, 9],
    ],
    ids=str,
)
def test_a_box_without_a_finite_positive_size_cannot_be_measured(box):
    boxes = np.array([[0, 0, 1, 1], box, [0, 0, 1, 1]], np.float32)
    assert not Measurements(3).load(boxes)


def test_the_largest_and_the_smallest_boxes_can_be_measured():
    largest = np.finfo(np.float32).max
    smallest = np.finfo(np.float32).smallest_subnormal
    values = measure(
        np.array([[-largest, -largest, largest, largest], [0, 0, smallest, largest]], np.float32)
    ).values
    assert np.isfinite(values).all()
    assert (values[2:] > 0).all()


def test_a_workspace_is_good_for_many_frames():
    measured = Measurements(1)
    assert not measured.load(np.array([[0, 0, 0, 0]], np.float32))
    assert measured.load(np.array([[10, 20, 40, 40]], np.float32))
    assert measured.flat.tolist() == [25.0, 30.0, 600.0, 1.5]
    assert measured.boxes.area.tolist() == [600.0]
