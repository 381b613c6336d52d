from fractions import Fraction

import numpy as np
import pytest

from sightline import Detections, Frame
from sightline.detections import UNTRACKED
from sightline.jobs.allowance import Allowance
from sightline.jobs.limits import LimitError, MediaLimits


def frame(width=4, height=2):
    image = np.zeros((height, width, 3), np.uint8)
    return Frame(image=image, seq=0, pts=0, time_base=Fraction(1, 25), stream="a")


def objects(*track_ids):
    count = len(track_ids)
    return Detections(
        xyxy=np.tile(np.float32([0, 0, 1, 1]), (count, 1)),
        confidence=np.ones(count, np.float32),
        class_id=np.zeros(count, np.int32),
        track_id=np.array(track_ids, np.int64),
    )


def refusal(take, what):
    with pytest.raises(LimitError) as caught:
        take(what)
    return caught.value


def test_as_many_frames_are_taken_as_the_limits_allow():
    allowance = Allowance(MediaLimits(max_frames=2))
    allowance.take_frame(frame())
    allowance.take_frame(frame())
    assert refusal(allowance.take_frame, frame()).code == "source-over-limit"


def test_frames_count_by_their_own_size():
    allowance = Allowance(MediaLimits(max_total_pixels=24))
    allowance.take_frame(frame())
    allowance.take_frame(frame(8, 2))
    assert refusal(allowance.take_frame, frame(1, 1)).code == "source-over-limit"


def test_a_frame_may_have_no_more_objects_than_the_limits_allow():
    allowance = Allowance(MediaLimits(max_objects=2))
    for _ in range(3):
        allowance.take_objects(objects(1, 2))
    error = refusal(allowance.take_objects, objects(1, 2, 3))
    assert error.code == "too-many-objects"
    assert "3 objects" in str(error)


def test_a_track_counts_once_and_an_object_without_a_track_not_at_all():
    allowance = Allowance(MediaLimits(max_tracks=3))
    allowance.take_objects(objects(1, 2, UNTRACKED))
    allowance.take_objects(objects(2, 3, UNTRACKED))
    allowance.take_objects(objects())
    error = refusal(allowance.take_objects, objects(1, 4))
    assert error.code == "too-many-tracks"
    assert "more than 3 tracks" in str(error)
