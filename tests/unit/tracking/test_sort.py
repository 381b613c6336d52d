"""The life of tracks, and what no input may do to it."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.detections import UNTRACKED, Detections
from sightline.tracking.sort import Sort

HERE = [100.0, 100.0, 140.0, 220.0]
THERE = [600.0, 100.0, 640.0, 220.0]


def ids(tracker, frames):
    """Feed frames of boxes; return the ids of each."""
    return [tracker.update(detections(boxes)).track_id.tolist() for boxes in frames]


def detections(boxes):
    return Detections(xyxy=np.array(boxes, np.float32).reshape(-1, 4))


def test_in_the_first_frames_of_a_stream_tracks_are_reported_at_once():
    assert ids(Sort(min_hits=3), [[HERE], [HERE, THERE], [HERE, THERE]]) == [[1], [1, 2], [1, 2]]


def test_a_later_track_is_reported_from_its_third_hit_after_the_first_detection():
    late = [[HERE]] * 3 + [[HERE, THERE]] * 5
    assert ids(Sort(min_hits=3), late)[3:] == [[1, -1], [1, -1], [1, -1], [1, 2], [1, 2]]


@pytest.mark.parametrize("min_hits", [0, 1, 2, 5])
def test_min_hits_sets_how_long_a_track_is_on_probation(min_hits):
    frames = [[]] * 10 + [[HERE]] * 8
    reported = ids(Sort(min_hits=min_hits), frames)[10:]
    assert reported == [[UNTRACKED]] * min_hits + [[1]] * (8 - min_hits)


def test_a_track_bridges_one_missing_frame_and_counts_its_hits_anew():
    frames = [[HERE]] * 6 + [[]] + [[HERE]] * 4
    assert ids(Sort(), frames)[6:] == [[], [-1], [-1], [1], [1]]


def test_a_track_ends_when_it_misses_more_than_max_age_frames_in_a_row():
    gap = [[HERE]] * 6 + [[]] * 3 + [[HERE]] * 4
    assert ids(Sort(max_age=3), gap)[-1] == [1]
    assert ids(Sort(max_age=2), gap)[-1] == [2]
    twice = [[HERE]] * 6 + ([[]] * 3 + [[HERE]] * 3) * 2 + [[HERE]]
    assert ids(Sort(max_age=3), twice)[-1] == [1]


def test_with_max_age_zero_a_track_ends_with_its_first_miss():
    assert ids(Sort(max_age=0), [[HERE]] * 6 + [[]] + [[HERE]] * 4)[-1] == [2]


def test_ids_count_births_in_the_order_of_detections():
    assert ids(Sort(), [[THERE, HERE]]) == [[1, 2]]


def test_a_detection_that_overlaps_its_track_too_little_begins_another():
    aside = [HERE[0] + 20, HERE[1], HERE[2] + 20, HERE[3]]
    assert ids(Sort(iou_threshold=0.33), [[HERE], [aside]])[-1] == [1]
    assert ids(Sort(iou_threshold=0.34), [[HERE], [aside]])[-1] == [2]


def test_confirmed_tracks_have_the_estimated_box_and_others_their_own():
    moved = [HERE[0] + 8, HERE[1], HERE[2] + 8, HERE[3]]
    tracker = Sort()
    for _ in range(5):
        tracker.update(detections([HERE]))
    tracked = tracker.update(detections([moved, THERE]))
    assert HERE[0] < tracked.xyxy[0, 0] < moved[0]
    assert tracked.xyxy[1].tolist() == THERE


def test_a_box_that_shrinks_to_nothing_keeps_a_positive_size():
    tracker = Sort()
    for width in (100, 70, 45, 25, 10, 3, 1, 1):
        tracked = tracker.update(detections([[0, 0, width, width]]))
        assert (tracked.xyxy[:, 2:] > tracked.xyxy[:, :2]).all()


@pytest.mark.parametrize("bad", [[5, 0, 5, 9], [5, 0, 4, 9], [5, 9, 4, 0]], ids=str)
def test_a_box_without_area_is_on_no_track_and_keeps_its_place_and_corners(bad):
    tracker, reference = Sort(), Sort()
    for _ in range(6):
        tracked = tracker.update(detections([HERE, bad, THERE]))
        expected = reference.update(detections([HERE, THERE]))
        assert tracked.track_id.tolist() == [1, UNTRACKED, 2]
        assert tracked.xyxy[1].tolist() == bad
        assert np.array_equal(tracked.xyxy[[0, 2]], expected.xyxy)
    assert tracker.update(detections([bad])).track_id.tolist() == [UNTRACKED]


any_boxes = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(-50, 50, width=32)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(any_boxes, max_size=12), st.integers(0, 3), st.integers(0, 3))
def test_whatever_comes_in_what_goes_out_is_finite_and_unambiguous(frames, max_age, min_hits):
    tracker = Sort(max_age=max_age, min_hits=min_hits)
    for boxes in frames:
        tracked = tracker.update(detections(boxes))
        assert np.isfinite(tracked.xyxy).all()
        found = tracked.track_id[tracked.track_id != UNTRACKED]
        assert len(set(found.tolist())) == len(found)
        assert (found > 0).all()


def crowd(rng, count):
    corner = rng.uniform(0, 900, (count, 2))
    return np.concatenate((corner, corner + rng.uniform(20, 80, (count, 2))), axis=1)


def test_a_crowd_of_hundreds_keeps_its_identities():
    rng = np.random.default_rng(1)
    start, speed = crowd(rng, 300) * [4, 1, 4, 1], rng.normal(0, 1, (300, 2))
    tracker = Sort()
    first = None
    for frame in range(12):
        boxes = start + np.tile(speed * frame, 2)
        order = rng.permutation(300)
        tracked = tracker.update(detections(boxes[order]))
        seen = tracked.track_id[np.argsort(order)]
        first = seen if first is None else first
        assert np.array_equal(seen, first)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_has_the_options_the_tracks_and_the_count_of_the_original(duplicate):
    tracker = Sort(max_age=4, min_hits=2, iou_threshold=0.2)
    rng = np.random.default_rng(2)
    frames = [crowd(rng, count) for count in (5, 7, 0, 3, 9, 9)]
    ids(tracker, frames)
    twin = duplicate(tracker)
    assert twin.describe() == tracker.describe()
    for boxes in frames:
        assert twin.update(detections(boxes)).equals(tracker.update(detections(boxes)))


def test_a_changing_number_of_objects_keeps_few_workspaces():
    """Memory stays bounded: a workspace is kept for the counts of late only."""
    tracker = Sort()
    for count in range(100):
        tracker.update(detections(crowd(np.random.default_rng(count), count)))
    assert tracker._tracks_of.cache_info().currsize <= 32


@pytest.mark.parametrize(
    "options",
    [
        {"max_age": -1},
        {"min_hits": -1},
        {"iou_threshold": 0.0},
        {"iou_threshold": 1.01},
        {"iou_threshold": float("nan")},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_by_name(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must"):
        Sort(**options)
