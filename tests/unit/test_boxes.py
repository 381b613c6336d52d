"""Intersection over union of boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.boxes import iou_matrix

BOXES = arrays(
    np.float64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(-1e4, 1e4, width=32)
)


def test_equal_boxes_have_an_iou_of_1_and_disjoint_ones_of_0():
    assert iou_matrix([[0, 0, 2, 3]], [[0, 0, 2, 3], [2, 0, 4, 3], [9, 9, 10, 10]]).tolist() == [
        [1.0, 0.0, 0.0]
    ]


def test_the_iou_is_the_shared_part_of_the_covered_area():
    assert iou_matrix([[0, 0, 4, 2]], [[2, 0, 6, 2], [0, 0, 2, 1]]).tolist() == [[1 / 3, 0.25]]


@pytest.mark.parametrize("box", [[1, 1, 1, 1], [1, 1, 1, 5], [3, 3, 1, 1]])
def test_a_box_without_area_overlaps_nothing_not_even_itself(box):
    assert iou_matrix([box, [0, 0, 9, 9]], [box]).tolist() == [[0.0], [0.0]]


def test_no_boxes_give_an_empty_matrix_of_the_right_shape():
    assert iou_matrix([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert iou_matrix([[0, 0, 1, 1]], np.empty((0, 4))).shape == (1, 0)


@pytest.mark.parametrize("boxes", [[1, 2, 3, 4], [[1, 2, 3]], [[[1, 2, 3, 4]]]])
def test_arrays_of_another_shape_are_refused(boxes):
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\)"):
        iou_matrix(boxes, [[0, 0, 1, 1]])


@given(BOXES, BOXES)
def test_the_iou_is_symmetric_between_0_and_1_and_as_computed_pair_by_pair(a, b):
    result = iou_matrix(a, b)
    assert result.shape == (len(a), len(b))
    assert ((result >= 0) & (result <= 1 + 1e-12)).all()
    np.testing.assert_array_equal(result, iou_matrix(b, a).T)
    for i, j in np.ndindex(result.shape):
        width = max(0.0, min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0]))
        height = max(0.0, min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1]))
        areas = [max(0.0, x2 - x1) * max(0.0, y2 - y1) for x1, y1, x2, y2 in (a[i], b[j])]
        shared = width * height
        expected = shared / (sum(areas) - shared) if shared > 0 else 0.0
        assert result[i, j] == pytest.approx(expected)
