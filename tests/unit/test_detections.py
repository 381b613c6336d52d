"""Detections: checked columns, selection, and interchange with supervision."""

import enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.detections import UNTRACKED, Detections

FLOATS = st.floats(-1e4, 1e4, width=32)


@st.composite
def detections(draw):
    count = draw(st.integers(0, 8))
    column = st.integers(0, 4)
    return Detections(
        xyxy=draw(hnp.arrays(np.float32, (count, 4), elements=FLOATS)),
        confidence=draw(hnp.arrays(np.float32, count, elements=st.floats(0, 1, width=32))),
        class_id=draw(hnp.arrays(np.int32, count, elements=column)),
        track_id=draw(hnp.arrays(np.int64, count, elements=st.integers(-1, 9))),
        class_names=("a", "b", "c", "d", "e"),
    )


def test_columns_that_are_not_given_have_defaults():
    found = Detections(xyxy=[[0, 0, 1, 1], [2, 2, 3, 3]])
    assert found.confidence.tolist() == [1, 1]
    assert found.class_id.tolist() == [0, 0]
    assert found.track_id.tolist() == [UNTRACKED, UNTRACKED]
    assert found.class_name(0) == "0"
    assert [column.dtype for column in (found.xyxy, found.confidence)] == [np.float32] * 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"xyxy": [1, 2, 3, 4]}, r"shape \(N, 4\), but has \(4,\)"),
        ({"xyxy": [[1, 2, 3]]}, r"but has \(1, 3\)"),
        ({"xyxy": [[1, 2, 3, 4]], "confidence": [0.5, 0.6]}, "expected 1 values"),
        ({"xyxy": [[1, 2, 3, 4]], "track_id": [[1]]}, "one per box"),
    ],
)
def test_columns_of_the_wrong_shape_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Detections(**columns)


class Kind(str, enum.Enum):  # noqa: UP042 - whose str() is another text
    PERSON = "person"
    CAR = "car"


@pytest.mark.parametrize(
    "names",
    [
        ("person", "car"),
        ["person", "car"],
        (np.str_("person"), np.str_("car")),
        np.array(["person", "car"]),
        {0: "person", 1: "car"}.values(),
        list(Kind),
    ],
    ids=["tuple", "list", "numpy", "array", "values", "enum"],
)
def test_class_names_of_any_kind_are_kept_as_a_tuple_of_plain_strings(names):
    found = Detections(xyxy=[[0, 0, 1, 1]], class_names=names)
    assert found.class_names == ("person", "car")
    assert type(found.class_names) is tuple
    assert {type(name) for name in found.class_names} == {str}


@pytest.mark.parametrize("names", ["person", {0: "person"}, [1, 2], (None,)])
def test_class_names_that_are_no_sequence_of_strings_are_refused(names):
    with pytest.raises(TypeError, match=r"class.names must be"):
        Detections.empty(names)


def test_class_names_that_are_no_unicode_are_refused():
    with pytest.raises(ValueError, match="Unicode text, but one is 'caf"):
        Detections.empty(["caf\udce9"])


def test_arrays_are_read_only_and_the_callers_stay_writable():
    boxes = np.zeros((1, 4), np.float32)
    found = Detections(xyxy=boxes)
    with pytest.raises(ValueError, match="read-only"):
        found.xyxy[0, 0] = 5
    boxes[0, 0] = 5


@given(detections(), st.data())
def test_selection_keeps_rows_together(found, data):
    mask = data.draw(hnp.arrays(np.bool_, len(found)))
    chosen = found[mask]
    assert len(chosen) == mask.sum()
    for name in ("xyxy", "confidence", "class_id", "track_id"):
        assert np.array_equal(getattr(chosen, name), getattr(found, name)[mask])
    assert chosen.class_names == found.class_names


@given(detections())
def test_a_round_trip_through_supervision_changes_nothing(found):
    pytest.importorskip("supervision")
    back = Detections.from_supervision(found.to_supervision(), found.class_names)
    assert back.equals(found)


@given(detections())
def test_class_names_come_back_from_supervision_by_themselves(found):
    pytest.importorskip("supervision")
    back = Detections.from_supervision(found.to_supervision())
    assert [back.class_name(i) for i in range(len(back))] == [
        found.class_name(i) for i in range(len(found))
    ]


def test_equality_is_of_all_columns_and_names():
    one = Detections(xyxy=[[0, 0, 1, 1]], class_names=("a",))
    assert one.equals(one.replace())
    assert not one.equals(one.replace(confidence=[0.5]))
    assert not one.equals(one.replace(class_names=("b",)))
    assert not one.equals(Detections.empty())


def test_a_tracker_replaces_boxes_and_identities_only():
    one = Detections(xyxy=[[0, 0, 1, 1]], confidence=[0.5], class_id=[3])
    tracked = one.with_tracks(np.ones((1, 4), np.float32), np.array([7]))
    assert tracked.track_id.tolist() == [7]
    assert tracked.xyxy.tolist() == [[1, 1, 1, 1]]
    assert tracked.confidence is one.confidence
    assert not tracked.track_id.flags.writeable
