"""The result file of a chunk: what is read is what was written, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.detections import Detections
from sightline.errors import FormatError, ProtocolError
from sightline.frame import Frame
from sightline.jobs.chunk_result import ChunkReader, ChunkWriter
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.report import FailedFrame
from sightline.stream import Losses, StreamInfo

STREAM = StreamInfo(
    name="street",
    width=64,
    height=48,
    time_base=Fraction(1, 90_000),
    frame_rate=Fraction(30_000, 1001),
    frame_count=900,
    duration_s=30.03,
)
IMAGE = np.zeros((48, 64, 3), np.uint8)


def frame(pts=0, **values):
    return Frame(image=IMAGE, seq=0, pts=pts, time_base=STREAM.time_base, **values)


def write(path, outcomes, losses=None, steps=None):
    with ChunkWriter(path, stream=STREAM, stages=[{"stage": "detect"}]) as writer:
        for given_frame, outcome in outcomes:
            writer.add(given_frame, outcome)
        writer.finish(losses or Losses(), steps=steps)


def read(path):
    with ChunkReader(path) as reader:
        return list(reader), reader


@st.composite
def found(draw):
    count = draw(st.integers(0, 5))
    any_float = st.floats(width=32)
    return Detections(
        xyxy=draw(hnp.arrays(np.float32, (count, 4), elements=any_float)),
        confidence=draw(hnp.arrays(np.float32, count, elements=any_float)),
        class_id=draw(hnp.arrays(np.int32, count)),
        track_id=draw(hnp.arrays(np.int64, count)),
        class_names=draw(st.sampled_from([(), ("person",), ("person", "bücher", "")])),
    )


def columns(detections):
    names = ("xyxy", "confidence", "class_id", "track_id")
    return [getattr(detections, name).tobytes() for name in names] + [detections.class_names]


@given(results=st.lists(st.tuples(st.integers(-(2**62), 2**62), found()), max_size=6))
def test_results_come_back_bit_for_bit(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("chunk") / "0000.a"
    outcomes = [(frame(pts), Outcome(frame=frame(pts, detections=d))) for pts, d in results]
    write(path, outcomes)
    frames, reader = read(path)
    assert [result.pts for result in frames] == [pts for pts, _ in results]
    for result, (_, detections) in zip(frames, results, strict=True):
        assert columns(result.detections) == columns(detections)
    assert reader.end.frames == len(results)


def test_header_and_end_come_back(tmp_path):
    losses = Losses(corrupt_packets=2, corrupt_frames=3, truncated=True, messages=["2 packets"])
    write(tmp_path / "a", [], losses, {"read": (3, 0.5)})
    _, reader = read(tmp_path / "a")
    assert reader.stream == STREAM
    assert reader.stages == [{"stage": "detect"}]
    assert (reader.end.losses, reader.end.steps) == (losses, {"read": (3, 0.5)})


def test_every_kind_of_outcome_goes_on_where_the_chunk_ended(tmp_path):
    failure = FailedFrame(seq=2, stage="detect", error="ValueError: no", traceback="…")
    large = np.zeros((90, 160, 3), np.uint8)
    outcomes = [
        (frame(10), Outcome(frame=frame(10, data={"speed": np.arange(3.0), "n": [1, "a"]}))),
        (frame(20), Outcome(frame=None, dropped_by="thin")),
        (frame(30), Outcome(frame=None, failure=failure)),
        (frame(40), Outcome(frame=frame(40).replace(image=large))),
    ]
    write(tmp_path / "a", outcomes)
    frames, _ = read(tmp_path / "a")
    assert [(result.width, result.height) for result in frames] == [(64, 48)] * 3 + [(160, 90)]
    numbered = replace(frame(10), seq=700)
    made, dropped, failed, _ = [result.outcome(numbered) for result in frames]
    assert made.frame.seq == 700
    assert made.frame.data["n"] == [1, "a"]
    assert made.frame.data["speed"].tolist() == [0, 1, 2]
    assert (dropped.frame, dropped.dropped_by) == (None, "thin")
    assert (failed.frame, failed.failure) == (None, replace(failure, seq=700))


def test_data_that_cannot_be_written_are_refused_and_the_file_goes_on(tmp_path):
    with ChunkWriter(tmp_path / "a", stream=STREAM) as writer:
        with pytest.raises(ProtocolError, match="cannot travel"):
            writer.add(frame(1), Outcome(frame=frame(1, data={"x": object()})))
        writer.add(frame(1), Outcome(frame=None, dropped_by="x"))
        writer.finish(Losses())
    assert len(read(tmp_path / "a")[0]) == 1


def test_a_file_that_was_not_finished_does_not_exist(tmp_path):
    with ChunkWriter(tmp_path / "chunks" / "a", stream=STREAM) as writer:
        writer.add(frame(1), Outcome(frame=None, dropped_by="x"))
    assert list((tmp_path / "chunks").iterdir()) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with ChunkWriter(tmp_path / "a", stream=STREAM) as writer:
        assert not (tmp_path / "a").exists()
        writer.finish(Losses())
        assert read(tmp_path / "a")[0] == []
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("chunk") / "a"
    detections = Detections(xyxy=np.ones((2, 4), np.float32), class_names=("person",))
    write(path, [(frame(t), Outcome(frame=frame(t, detections=detections))) for t in range(3)])
    return path.read_bytes()


def test_a_file_that_ends_anywhere_too_early_is_refused(whole, tmp_path):
    for length in range(len(whole)):
        (tmp_path / "a").write_bytes(whole[:length])
        with pytest.raises(FormatError):
            read(tmp_path / "a")


@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_but_nothing_else(whole, data, tmp_path_factory):
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("chunk") / "a"
    path.write_bytes(content)
    with suppress(FormatError):
        read(path)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF1234", b"SLCHUNK2\0\0\0\0", b"SLCHUNK1\xff\xff\xff\xff"]
)
def test_a_foreign_file_is_refused(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FormatError, match=r"result of a chunk"):
        ChunkReader(tmp_path / "a")


def test_names_of_classes_are_written_once(tmp_path):
    names = tuple(f"class number {n}" for n in range(80))
    detections = Detections(xyxy=np.ones((1, 4), np.float32), class_names=names)
    write(
        tmp_path / "a",
        [(frame(t), Outcome(frame=frame(t, detections=detections))) for t in range(100)],
    )
    assert (tmp_path / "a").stat().st_size < 100 * 60 + 3000
    frames, _ = read(tmp_path / "a")
    assert all(
        result.detections.class_names is frames[0].detections.class_names for result in frames
    )
