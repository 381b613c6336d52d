"""Frames: checked, immutable, sharing their pixels."""

import dataclasses
from collections import UserDict
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest

from sightline.detections import Detections
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


def test_a_copy_with_nothing_replaced_keeps_every_attribute():
    detections = Detections(xyxy=[[1, 2, 3, 4]])
    frame = Frame(
        image=np.zeros((2, 2, 3), np.uint8),
        seq=2,
        pts=1001,
        time_base=Fraction(1, 30000),
        stream="street",
        detections=detections,
        data={"count": 3},
        _buffers=Granted(),
    )
    copy = frame.replace()
    for field in dataclasses.fields(Frame):
        assert getattr(copy, field.name) is getattr(frame, field.name)
    with pytest.raises(TypeError, match="colour"):
        frame.replace(colour=3)


class Granted:
    """Grants one image of 2×3, as a runner would."""

    def __init__(self):
        self.memory = [np.full((2, 3), 7, np.uint8)]

    def allocate(self, shape):
        return self.memory.pop() if self.memory and shape == (2, 3) else None


def test_an_empty_image_is_writable_and_of_the_shape_asked_for():
    frame = Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0)
    for shape in [(4, 6, 3), (5, 1)]:
        image = frame.empty_image(shape)
        image[...] = 9
        assert (image.shape, image.dtype) == (shape, np.uint8)
        assert not np.shares_memory(image, frame.image)


def test_an_empty_image_lies_in_the_memory_granted_for_it_as_long_as_there_is_some():
    granted = Granted()
    (memory,) = granted.memory
    frame = Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0, _buffers=granted)
    later = frame.replace(data={"count": 3})
    assert later.empty_image((9, 9)).shape == (9, 9)
    assert later.empty_image((2, 3)) is memory
    assert not np.shares_memory(later.empty_image((2, 3)), memory)
    assert "buffers" not in repr(frame)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": [[1, 2], [3, 4]]}, "image must be a NumPy array, but is a list"),
        ({"image": None}, "image must be a NumPy array, but is a NoneType"),
        ({"detections": ["person"]}, "detections must be Detections, but are a list"),
        ({"detections": None}, "detections must be Detections, but are a NoneType"),
        ({"data": [("count", 3)]}, "data must be a mapping, but are a list"),
        ({"data": None}, "data must be a mapping, but are a NoneType"),
    ],
)
def test_what_is_of_another_kind_than_it_must_be_is_refused(changes, message):
    frame = Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0)
    with pytest.raises(TypeError, match=message):
        frame.replace(**changes)


def test_data_may_be_any_mapping():
    data = UserDict(count=3)
    frame = Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0, data=data)
    assert frame.data is data
    assert frame.replace(data=MappingProxyType(data)).data == {"count": 3}
