"""MOT Challenge rows, written and read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import FormatError
from sightline.formats.mot import MotRows, format_mot_row, parse_mot_row, read_mot

COORDINATES = st.floats(-5000, 5000)
SIDES = st.floats(0, 5000)


@given(
    frame=st.integers(1, 10**9),
    track_id=st.integers(-1, 10**9),
    left_top=st.tuples(COORDINATES, COORDINATES),
    sides=st.tuples(SIDES, SIDES),
    confidence=st.floats(0, 1),
)
def test_a_row_that_was_written_reads_back_to_its_decimals(
    frame, track_id, left_top, sides, confidence
):
    box = (*left_top, left_top[0] + sides[0], left_top[1] + sides[1])
    row = format_mot_row(frame, track_id, box, confidence=confidence)
    read_frame, read_id, read_box, read_confidence = parse_mot_row(row)
    assert (read_frame, read_id) == (frame, track_id)
    assert read_box == pytest.approx(box, abs=0.0011)
    assert read_confidence == pytest.approx(confidence, abs=0.000051)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3", "expected 7 to 10 columns, but found 3"),
        ("1,2,3,4,5,6,7,8,9,10,11", "expected 7 to 10 columns, but found 11"),
        ("1,2,3,4,x,6,1", "expected a number, but found 'x'"),
        ("1,2,3,4,nan,6,1", "expected a finite number, but found 'nan'"),
        ("0,2,3,4,5,6,1", "the frame must be a whole number from 1, but is 0"),
        ("1.5,2,3,4,5,6,1", "the frame must be a whole number from 1, but is 1.5"),
        ("1,-2,3,4,5,6,1", "the id must be a whole number from -1, but is -2"),
        ("1,1e300,3,4,5,6,1", "the id must be a whole number from -1, but is 1e300"),
        ("1,2,3,4,-5,6,1", "width and height must not be negative, but are -5.0 and 6.0"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_line_number(tmp_path, line, message):
    path = tmp_path / "rows.txt"
    path.write_text(f"1,2,3,4,5,6,1,-1,-1,-1\n{line}\n", encoding="utf-8")
    with pytest.raises(FormatError, match="line 2: ") as caught:
        read_mot(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_a_folder_and_a_binary_file_are_refused(tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for name in ("missing.txt", ".", "binary"):
        with pytest.raises(FormatError) as caught:
            read_mot(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_files_of_other_editions_with_7_or_9_columns_and_spaces_are_read(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("1, 2, 3, 4, 5, 6, 1\n\n2,2,3,4,5,6,0,1,0.86\n", encoding="utf-8")
    rows = read_mot(path)
    assert rows.frame.tolist() == [1, 2]
    assert rows.confidence.tolist() == [1.0, 0.0]
    assert rows.xyxy.tolist() == [[3.0, 4.0, 8.0, 10.0]] * 2


def test_an_empty_file_holds_no_rows(tmp_path):
    path = tmp_path / "empty.txt"
    path.touch()
    rows = read_mot(path)
    assert len(rows) == 0
    assert rows.xyxy.shape == (0, 4)
    assert rows.by_frame() == {}


def test_rows_are_grouped_by_frame_in_ascending_order_and_keep_their_order_within():
    rows = MotRows(
        frame=np.array([3, 1, 3]),
        track_id=np.array([7, 8, 9]),
        xyxy=np.arange(12.0).reshape(3, 4),
        confidence=np.ones(3),
    )
    groups = rows.by_frame()
    assert list(groups) == [1, 3]
    assert groups[3].track_id.tolist() == [7, 9]
    assert groups[1].xyxy.tolist() == [[4.0, 5.0, 6.0, 7.0]]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"confidence must have shape \(1,\)"):
        MotRows(
            frame=np.array([1]),
            track_id=np.array([1]),
            xyxy=np.zeros((1, 4)),
            confidence=np.zeros(2),
        )
