"""Frames: checked, immutable, sharing their pixels."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from sightline.frame import Frame


def test_a_frame_knows_its_size_and_time():
    frame = Frame(
        image=np.zeros((4, 6, 3), np.uint8), seq=2, pts=1001, time_base=Fraction(1, 30000)
    )
    assert (frame.width, frame.height) == (6, 4)
    assert frame.time_s == pytest.approx(1001 / 30000)
    assert len(frame.detections) == 0


def test_the_image_is_read_only_but_the_callers_array_is_not():
    image = np.zeros((2, 2), np.uint8)
    frame = Frame(image=image, seq=0, pts=0)
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 1
    image[0, 0] = 1
    assert frame.image[0, 0] == 1


def test_a_changed_copy_shares_the_pixels():
    frame = Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0)
    copy = frame.replace(data={"count": 3})
    assert copy.image is frame.image
    assert (copy.data, frame.data) == ({"count": 3}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.seq = 1


@pytest.mark.parametrize(
    ("image", "seq", "message"),
    [
        (np.zeros((2, 2, 3), np.float32), 0, "uint8"),
        (np.zeros((2, 2, 4), np.uint8), 0, r"shape \(2, 2, 4\)"),
        (np.zeros(4, np.uint8), 0, r"shape \(4,\)"),
        (np.zeros((2, 2), np.uint8), -1, "seq must be 0 or more"),
    ],
)
def test_what_is_no_image_is_refused(image, seq, message):
    with pytest.raises(ValueError, match=message):
        Frame(image=image, seq=seq, pts=0)
