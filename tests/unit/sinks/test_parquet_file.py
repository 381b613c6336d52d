"""The table of tracks as Parquet."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import MissingExtraError
from sightline.sinks.parquet import ParquetFile


@pytest.fixture
def frame(frame_with):
    return frame_with(
        7,
        pts=10,
        xyxy=[[0.1, 2, 3, 4], [5, 6, 7, 8]],
        confidence=[0.3, 0.8],
        class_id=[1, 5],
        track_id=[12, -1],
        class_names=("car", "person"),
    )


def test_columns_are_typed_and_floats_are_exact(tmp_path, written, frame, frame_with):
    table = pq.read_table(written(ParquetFile(tmp_path / "tracks.parquet"), frame, frame_with(8)))
    assert table.to_pylist() == [
        {
            "seq": 7,
            "pts": 10,
            "time_s": pytest.approx(1 / 3),
            "track_id": 12,
            "class_id": 1,
            "class": "person",
            "confidence": float(np.float32(0.3)),
            "x1": float(np.float32(0.1)),
            "y1": 2.0,
            "x2": 3.0,
            "y2": 4.0,
        }
    ]
    types = {field.name: field.type for field in table.schema}
    assert types["seq"] == types["track_id"] == pa.int64()
    assert types["class_id"] == pa.int32()
    assert types["class"] == pa.string()
    assert types["x1"] == types["confidence"] == pa.float32()
    assert table.schema.metadata == {b"stream": b"street", b"time_base": b"1/30"}


def test_untracked_objects_are_written_on_demand(tmp_path, written, frame):
    sink = ParquetFile(tmp_path / "tracks.parquet", untracked="write")
    assert pq.read_table(written(sink, frame))["track_id"].to_pylist() == [12, -1]


def test_rows_leave_memory_in_groups_and_come_back_in_order(tmp_path, written, frame_with):
    count = 30_000
    frames = [
        frame_with(seq, xyxy=np.full((count, 4), seq), track_id=np.arange(1, count + 1))
        for seq in range(5)
    ]
    path = written(ParquetFile(tmp_path / "tracks.parquet"), *frames)
    assert pq.ParquetFile(path).num_row_groups == 2
    table = pq.read_table(path)
    assert table["seq"].to_pylist() == np.repeat(range(5), count).tolist()
    assert table["track_id"].to_pylist() == list(range(1, count + 1)) * 5


def test_a_file_without_frames_has_the_columns(tmp_path, written):
    table = pq.read_table(written(ParquetFile(tmp_path / "tracks.parquet")))
    assert table.num_rows == 0
    assert table.column_names[:3] == ["seq", "pts", "time_s"]


def test_without_pyarrow_the_error_names_the_extra_and_leaves_nothing(
    tmp_path, street, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[parquet\]"):
        ParquetFile(tmp_path / "tracks.parquet").open(street)
    assert list(tmp_path.iterdir()) == []
