"""Frames, detections and streams on the wire and back."""

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.detections import Detections
from sightline.errors import ProtocolError
from sightline.frame import Frame
from sightline.stream import Losses, StreamInfo
from sightline.transport.frames import (
    facts_of,
    frame_id_of,
    frame_of,
    info_of,
    pack_data,
    pack_losses,
    pack_objects,
    unpack_losses,
    unpack_objects,
)
from sightline.transport.messages import Announce, Objects, Result, StreamFacts, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
FRACTIONS = st.fractions(min_value=Fraction(1, 2**31), max_value=2**31, max_denominator=2**31)
IMAGE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
NAMES = st.builds(tuple, st.lists(TEXT, max_size=5))


@st.composite
def detections(draw):
    count = draw(st.integers(0, 6))
    return Detections(
        xyxy=draw(arrays.arrays(np.float32, (count, 4))),
        confidence=draw(arrays.arrays(np.float32, count)),
        class_id=draw(arrays.arrays(np.int32, count)),
        track_id=draw(arrays.arrays(np.int64, count)),
        class_names=draw(NAMES),
    )


@st.composite
def streams(draw):
    counts = st.integers(0, 2**40)
    return StreamInfo(
        name=draw(st.from_regex(r"[\w.-]*\w[\w.-]*", fullmatch=True)),
        width=draw(st.integers(1, 2**16)),
        height=draw(st.integers(1, 2**16)),
        time_base=draw(FRACTIONS),
        frame_rate=draw(st.none() | FRACTIONS),
        frame_count=draw(st.none() | counts),
        duration_s=draw(st.none() | st.floats(0, 1e9)),
        live=draw(st.booleans()),
    )


def over_the_wire(message):
    return decode(encode(message))


@given(detections())
def test_detections_come_back_bit_for_bit_and_read_only(found):
    about = frame_id_of(Frame(image=IMAGE, seq=0, pts=0), epoch=0, captured_ns=0)
    objects = over_the_wire(Result(about, objects=pack_objects(found))).objects
    again = unpack_objects(objects)
    for name in ("xyxy", "confidence", "class_id", "track_id"):
        column, copy = getattr(found, name), getattr(again, name)
        assert (copy.dtype, copy.shape, copy.tobytes()) == (
            column.dtype,
            column.shape,
            column.tobytes(),
        )
        assert not copy.flags.writeable
    assert again.class_names == found.class_names


def test_detections_of_any_stride_are_written_in_order():
    found = Detections(xyxy=np.arange(32).reshape(8, 4))[::2]
    assert unpack_objects(pack_objects(found)).equals(found)


def test_detections_from_the_wire_can_be_used_as_any_other():
    found = Detections(xyxy=[[0, 0, 2, 2], [5, 5, 9, 9]], class_names=("car",))
    again = unpack_objects(pack_objects(found))
    tracked = again[[1]].replace(track_id=[7])
    assert (tracked.track_id.tolist(), tracked.class_name(0)) == ([7], "car")


def test_class_names_are_the_same_object_for_every_frame():
    found = Detections(xyxy=np.zeros((1, 4)), class_names=("person", "car"))
    one, other = (unpack_objects(pack_objects(found)) for _ in range(2))
    assert one.class_names is other.class_names


@pytest.mark.parametrize("column", ["xyxy", "confidence", "class_id", "track_id"])
def test_columns_that_differ_in_length_are_refused(column):
    objects = pack_objects(Detections(xyxy=np.zeros((2, 4))))
    longer = msgspec.structs.replace(objects, **{column: getattr(objects, column) + bytes(4)})
    with pytest.raises(ProtocolError, match="malformed detections"):
        unpack_objects(longer)


@pytest.mark.parametrize("names", [b"", b"\x91\x01", b"\x91\xa1\xff", b"\xa3car", b"\x92\xa1a"])
def test_class_names_that_are_no_names_are_refused(names):
    with pytest.raises(ProtocolError, match="malformed class names"):
        unpack_objects(Objects(b"", b"", b"", b"", names))


def test_class_names_of_numpy_are_sent_as_any_other():
    found = Detections.empty(np.array(["person", "car"]))
    assert unpack_objects(pack_objects(found)).class_names == ("person", "car")


def test_what_are_no_detections_cannot_be_sent():
    with pytest.raises(ProtocolError, match="the detections of a frame are a list"):
        pack_objects([])


@given(streams())
def test_what_is_known_of_a_stream_comes_back(info):
    announced = over_the_wire(Announce(facts_of(info), 3, 0))
    assert info_of(announced.stream) == info


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "/etc/passwd", "a/b", "a\0b"])
def test_a_stream_whose_name_could_be_a_path_is_refused(name):
    with pytest.raises(ProtocolError, match="cannot name a file"):
        info_of(StreamFacts(name, 64, 48, (1, 25)))


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"height": -1},
        {"time_base": (1, 0)},
        {"time_base": (-1, 25)},
        {"frame_rate": (0, 1)},
    ],
    ids=str,
)
def test_a_stream_that_cannot_be_is_refused(changes):
    with pytest.raises(ProtocolError, match="came"):
        info_of(msgspec.structs.replace(StreamFacts("street", 64, 48, (1, 25)), **changes))


def test_losses_come_back_and_do_not_grow_with_those_of_the_source():
    losses = Losses(corrupt_packets=2, corrupt_frames=1, truncated=True, messages=["a", "b"])
    packed = pack_losses(losses)
    losses.messages.append("c")
    assert unpack_losses(packed) == Losses(
        corrupt_packets=2, corrupt_frames=1, truncated=True, messages=["a", "b"]
    )


def test_a_frame_comes_back_with_all_it_had():
    frame = Frame(
        image=IMAGE,
        seq=7,
        pts=-40,
        time_base=Fraction(1001, 30000),
        stream="street",
        detections=Detections(xyxy=[[0, 0, 2, 2]], class_names=("car",)),
        data={"speed": [3.5]},
    )
    about = frame_id_of(frame, epoch=2, captured_ns=99)
    assert (about.key, about.captured_ns) == (("street", 2, 7), 99)
    again = frame_of(
        about, IMAGE, objects=pack_objects(frame.detections), data=pack_data(frame.data)
    )
    assert np.shares_memory(again.image, IMAGE)
    assert again.detections.equals(frame.detections)
    for name in ("seq", "pts", "time_base", "stream", "data"):
        assert getattr(again, name) == getattr(frame, name)


def test_a_frame_without_findings_has_none_and_draws_where_it_is_told():
    class Granted:
        def allocate(self, shape):
            return np.ones(shape, np.uint8)

    about = frame_id_of(Frame(image=IMAGE, seq=0, pts=0), epoch=0, captured_ns=0)
    frame = frame_of(about, IMAGE, buffers=Granted())
    assert (len(frame.detections), dict(frame.data)) == (0, {})
    assert frame.empty_image((2, 2)).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("changes", "image"),
    [({"seq": -1}, IMAGE), ({"time_base": (1, 0)}, IMAGE), ({}, IMAGE[..., :2])],
    ids=["negative number", "no time base", "two channels"],
)
def test_a_frame_that_cannot_be_is_refused(changes, image):
    about = frame_id_of(Frame(image=IMAGE, seq=0, pts=0), epoch=0, captured_ns=0)
    with pytest.raises(ProtocolError, match="came"):
        frame_of(msgspec.structs.replace(about, **changes), image)
