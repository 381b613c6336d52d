"""The quick ways to an assignment against SciPy's on the matrix of all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from sightline.tracking.assignment import associate, heaviest_matching
from sightline.tracking.geometry import Measurements
from sightline.tracking.overlap import Pairs, overlap_matrix


def boxes_of(xyxy):
    measured = Measurements(len(xyxy))
    assert measured.load(np.asarray(xyxy, np.float32).reshape(-1, 4))
    return measured.boxes


def scene(rng, count, *, size=60, extent=300):
    corner = rng.uniform(0, extent, (count, 2))
    return np.concatenate((corner, corner + rng.uniform(0.3 * size, size, (count, 2))), axis=1)


def pairs_of(matrix):
    rows, columns = matrix.nonzero()
    return Pairs(rows, columns, matrix[rows, columns])


def matched(matrix):
    """Find the optimum and its pairs by SciPy."""
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    weights = matrix[rows, columns]
    return weights.sum(), set(
        zip(rows[weights > 0].tolist(), columns[weights > 0].tolist(), strict=True)
    )


def is_unique(matrix):
    """Tell whether every pair of the optimum is needed for it."""
    total, chosen = matched(matrix)
    for pair in chosen:
        without = matrix.copy()
        without[pair] = 0
        if matched(without)[0] > total - 1e-9:
            return False
    return True


def assert_optimal(matrix):
    chosen = heaviest_matching(pairs_of(matrix))
    assert len(set(chosen.rows.tolist())) == len(chosen.rows)
    assert len(set(chosen.columns.tolist())) == len(chosen.columns)
    assert (np.diff(chosen.rows) > 0).all()
    assert np.array_equal(chosen.weights, matrix[chosen.rows, chosen.columns])
    total, expected = matched(matrix)
    assert chosen.weights.sum() == pytest.approx(total, abs=1e-9)
    if is_unique(matrix):
        assert set(zip(chosen.rows.tolist(), chosen.columns.tolist(), strict=True)) == expected


weights = st.sampled_from([0, 0, 0, 0.2, 0.25, 0.3, 0.5, 0.6, 0.9, 1.0])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 8).flatmap(
        lambda m: st.lists(st.lists(weights, min_size=m, max_size=m), max_size=8)
    )
)
def test_the_matching_of_a_sparse_matrix_is_as_heavy_as_any(rows):
    assert_optimal(np.array(rows, np.float64).reshape(len(rows), -1 if rows else 0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(20, 300))
def test_the_matching_of_random_crowds_is_as_heavy_as_any(seed, first, second, size):
    rng = np.random.default_rng(seed)
    a, b = boxes_of(scene(rng, first, size=size)), boxes_of(scene(rng, second, size=size))
    assert_optimal(overlap_matrix(a, b))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_duplicate_and_nested_boxes_are_matched_as_well_as_any(seed, count):
    rng = np.random.default_rng(seed)
    boxes = scene(rng, count, extent=60).round()
    boxes[:, 2:] += 1
    nested = boxes + np.array([2, 2, -2, -2])
    nested = nested[(nested[:, 2] > nested[:, 0]) & (nested[:, 3] > nested[:, 1])]
    crowd = boxes_of(np.concatenate((boxes, boxes, nested)))
    assert_optimal(overlap_matrix(crowd, boxes_of(boxes)))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 9), (9, 1)])
def test_thin_and_empty_problems_are_problems(shape):
    rng = np.random.default_rng(3)
    assert_optimal(rng.random(shape))
    first, second = (boxes_of(scene(rng, count)) for count in shape)
    rows, columns = associate(first, second, 0.01)
    overlap = overlap_matrix(first, second)
    assert len(rows) == len(columns) == (1 if overlap.max(initial=0) >= 0.01 else 0)


@pytest.mark.parametrize("size", [20, 60, 150])
@pytest.mark.parametrize("seed", range(3))
def test_a_big_scene_gives_the_pairs_of_the_hungarian_method_on_the_whole(seed, size):
    rng = np.random.default_rng(seed)
    tracks = scene(rng, 130, size=size, extent=500)
    detections = (tracks + rng.normal(0, 3, tracks.shape))[rng.permutation(130)]
    detections = detections[(detections[:, 2:] > detections[:, :2]).all(axis=1)]
    first, second = boxes_of(detections), boxes_of(tracks)
    rows, columns = associate(first, second, 0.3)
    overlap = overlap_matrix(first, second)
    expected_rows, expected_columns = linear_sum_assignment(overlap, maximize=True)
    kept = overlap[expected_rows, expected_columns] >= 0.3
    assert np.array_equal(rows, expected_rows[kept])
    assert np.array_equal(columns, expected_columns[kept])


def row_of_boxes(*left):
    """Make boxes of 100 × 10 side by side: shifted by x, two overlap by (100 − x) / (100 + x)."""
    return boxes_of([[x, 0, x + 100, 10] for x in left])


def test_pairs_that_overlap_too_little_are_rejected_after_the_assignment_not_before():
    detections, tracks = row_of_boxes(52, -55), row_of_boxes(0, 107)
    overlap = overlap_matrix(detections, tracks)
    assert overlap.round(2).tolist() == [[0.32, 0.29], [0.29, 0.0]]
    assert [part.tolist() for part in associate(detections, tracks, 0.3)] == [[], []]
    assert [part.tolist() for part in associate(detections, tracks, 0.28)] == [[0, 1], [1, 0]]


def test_the_threshold_itself_is_enough_of_an_overlap():
    rows, _ = associate(row_of_boxes(0), row_of_boxes(0), 1.0)
    assert rows.tolist() == [0]
