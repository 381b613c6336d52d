"""What every tracker promises: one suite for the fake and for the real ones."""

import copy
import json
import pickle

import numpy as np
import pytest

from sightline.detections import UNTRACKED, Detections
from sightline.testing.tracker import NearestTracker
from sightline.tracking.sort import Sort
from sightline.tracking.tracker import Tracker


@pytest.fixture(params=[NearestTracker, Sort], ids=lambda make: make.__name__)
def tracker(request):
    return request.param()


def street(frames=30, seed=5):
    """Five people who cross a street, found with noise, now and then not found, in any order."""
    rng = np.random.default_rng(seed)
    start = np.array([[0, 40], [300, 60], [20, 200], [280, 240], [150, 330]], float)
    speed = np.array([[4, 0], [-4, 0], [3, 1], [-3, 1], [0, -4]], float)
    for frame in range(frames):
        left, top = (start + speed * frame + rng.normal(0, 0.5, (5, 2))).T
        found = rng.permutation(np.flatnonzero(rng.random(5) < 0.95))
        yield Detections(
            xyxy=np.stack((left, top, left + 40, top + 100), axis=1)[found],
            confidence=rng.uniform(0.3, 1.0, 5)[found],
            class_id=found,
            class_names=("a", "b", "c", "d", "e"),
        )


def run(tracker, frames):
    return [tracker.update(frame) for frame in frames]


def same(first, second):
    return all(a.equals(b) for a, b in zip(first, second, strict=True))


def test_it_is_a_tracker(tracker):
    assert isinstance(tracker, Tracker)


def test_the_objects_stay_the_same_in_number_order_class_and_confidence(tracker):
    for frame in street():
        tracked = tracker.update(frame)
        assert len(tracked) == len(frame)
        assert np.array_equal(tracked.class_id, frame.class_id)
        assert np.array_equal(tracked.confidence, frame.confidence)
        assert tracked.class_names == frame.class_names


def test_ids_are_positive_and_unique_in_a_frame(tracker):
    for tracked in run(tracker, street()):
        ids = tracked.track_id[tracked.track_id != UNTRACKED]
        assert (ids > 0).all()
        assert len(set(ids.tolist())) == len(ids)


def test_an_untracked_object_keeps_its_box_bit_for_bit(tracker):
    for frame in street():
        tracked = tracker.update(frame)
        untracked = tracked.track_id == UNTRACKED
        assert np.array_equal(tracked.xyxy[untracked], frame.xyxy[untracked])


def test_an_estimated_box_lies_near_the_detected_one(tracker):
    for frame in street():
        assert np.abs(tracker.update(frame).xyxy - frame.xyxy).max(initial=0) < 5


def test_an_object_that_moves_on_keeps_its_identity(tracker):
    ids = [
        int(tracker.update(Detections(xyxy=[[4 * i, 0, 4 * i + 40, 100]])).track_id[0])
        for i in range(30)
    ]
    assert len(set(ids) - {UNTRACKED}) == 1
    assert UNTRACKED not in ids[5:]


def test_objects_far_apart_have_different_identities(tracker):
    boxes = [[0, 0, 40, 100], [500, 0, 540, 100]]
    tracked = run(tracker, [Detections(xyxy=boxes)] * 10)[-1]
    assert len(set(tracked.track_id.tolist())) == 2


def test_a_frame_without_objects_is_a_frame(tracker):
    empty = Detections.empty(("person",))
    assert tracker.update(empty).equals(empty)
    frames = list(street())
    tracked = run(tracker, [*frames[:10], empty, *frames[11:]])
    assert tracked[10].equals(empty)
    assert (tracked[-1].track_id != UNTRACKED).any()


def test_ids_that_come_in_play_no_part(tracker):
    frames = list(street())
    labelled = [frame.replace(track_id=np.arange(7, 7 + len(frame))) for frame in frames]
    expected = run(copy.deepcopy(tracker), frames)
    assert same(run(tracker, labelled), expected)


def test_the_input_is_left_alone_and_the_output_is_read_only(tracker):
    for frame in street():
        before = copy.deepcopy(frame)
        tracked = tracker.update(frame)
        assert frame.equals(before)
        for array in (tracked.xyxy, tracked.confidence, tracked.class_id, tracked.track_id):
            assert not array.flags.writeable


def test_results_stay_as_they_were_returned(tracker):
    frames = list(street())
    tracked = run(tracker, frames)
    snapshots = run(pickle.loads(pickle.dumps(type(tracker)())), frames)
    assert same(tracked, snapshots)


@pytest.mark.parametrize("coordinate", [np.nan, np.inf, -np.inf])
def test_a_box_that_is_not_finite_is_on_no_track_and_spoils_none(tracker, coordinate):
    frames = list(street())
    expected = run(copy.deepcopy(tracker), frames)
    for frame, wanted in zip(frames, expected, strict=True):
        spoilt = Detections(
            xyxy=[*frame.xyxy, [coordinate, 0, 40, 100]], class_id=[*frame.class_id, 0]
        )
        tracked = tracker.update(spoilt)
        assert tracked.track_id[-1] == UNTRACKED
        assert np.array_equal(tracked.track_id[:-1], wanted.track_id)
        assert np.array_equal(tracked.xyxy[:-1], wanted.xyxy)


def test_after_a_reset_it_is_as_new(tracker):
    first = run(tracker, street())
    tracker.reset()
    assert same(run(tracker, street()), first)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copy_in_mid_stream_goes_on_alike_and_apart(tracker, duplicate):
    frames = list(street())
    expected = run(copy.deepcopy(tracker), frames)
    run(tracker, frames[:12])
    twin = duplicate(tracker)
    run(tracker, street(seed=6))
    assert same(run(twin, frames[12:]), expected[12:])


def test_it_describes_itself_in_json(tracker):
    described = tracker.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["tracker"]
