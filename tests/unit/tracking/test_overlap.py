import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.boxes import iou_matrix
from sightline.tracking.geometry import Measurements
from sightline.tracking.overlap import overlap_matrix, touching_pairs


def boxes_of(xyxy):
    measured = Measurements(len(xyxy))
    assert measured.load(np.asarray(xyxy, np.float32).reshape(-1, 4))
    return measured.boxes


@st.composite
def crowds(draw):
    """Draw up to twelve boxes on a coarse grid, where sides often coincide, and boxes repeat."""
    corner, size = st.integers(0, 12), st.integers(1, 8)
    rows = draw(st.lists(st.tuples(corner, corner, size, size), max_size=12))
    return [(x / 2, y / 2, (x + w) / 2, (y + h) / 2) for x, y, w, h in rows]


@given(crowds(), crowds())
def test_the_overlap_of_all_pairs_is_their_intersection_over_union(first, second):
    overlap = overlap_matrix(boxes_of(first), boxes_of(second))
    assert overlap == pytest.approx(iou_matrix(first, second).reshape(overlap.shape), abs=1e-12)


@settings(max_examples=300)
@given(crowds(), crowds())
def test_the_pairs_that_touch_are_those_with_an_overlap_each_once(first, second):
    first, second = boxes_of(first), boxes_of(second)
    overlap = overlap_matrix(first, second)
    pairs = touching_pairs(first, second)
    assert len(set(zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True))) == len(
        pairs.rows
    )
    found = np.zeros_like(overlap)
    found[pairs.rows, pairs.columns] = pairs.weights
    assert np.array_equal(found, overlap)


def test_boxes_that_share_a_side_or_a_corner_do_not_touch():
    first = boxes_of([[0, 0, 2, 2]])
    beside = boxes_of([[2, 0, 4, 2], [0, 2, 2, 4], [2, 2, 4, 4], [-2, 0, 0, 2]])
    assert len(touching_pairs(first, beside).rows) == 0
    assert not overlap_matrix(first, beside).any()


def test_a_box_inside_another_overlaps_by_the_share_of_its_area():
    outer, inner = boxes_of([[0, 0, 10, 10]]), boxes_of([[2, 2, 7, 4]])
    assert overlap_matrix(outer, inner).tolist() == [[0.1]]
    assert touching_pairs(inner, outer).weights.tolist() == [0.1]
