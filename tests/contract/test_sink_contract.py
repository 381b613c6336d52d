"""What every sink promises: one suite for the fake and for all sinks that write files."""

import csv
import json
import os
import resource
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from sightline.detections import Detections
from sightline.errors import OutputError
from sightline.formats.mot import read_mot
from sightline.frame import Frame
from sightline.sinks.coco import CocoFile
from sightline.sinks.csv import CsvFile
from sightline.sinks.jsonl import JsonlFile
from sightline.sinks.mot import MotFile
from sightline.sinks.parquet import ParquetFile
from sightline.sinks.sink import Sink
from sightline.sinks.tracks import TracksFile
from sightline.sinks.video import VideoFile
from sightline.stream import StreamInfo
from sightline.testing.sink import ListSink

STREAM = StreamInfo(
    name="street", width=64, height=48, time_base=Fraction(1, 25), frame_rate=Fraction(25)
)


def frame_of(seq):
    """Make a frame of noise with one tracked object, whose track is named after the frame."""
    image = np.random.default_rng(seq).integers(0, 256, (48, 64, 3), np.uint8)
    detections = Detections(
        xyxy=[[1, 2, 30, 40]], confidence=[0.5], track_id=[seq + 1], class_names=("person",)
    )
    return Frame(image=image, seq=seq, pts=seq, time_base=STREAM.time_base, detections=detections)


def seqs_of_tracks(path):
    tracks = json.loads(path.read_text())
    return [entry["frame_number"] for entries in tracks.values() for entry in entries]


def seqs_of_jsonl(path):
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


def seqs_of_csv(path):
    with path.open(newline="") as file:
        return [int(row["seq"]) for row in csv.DictReader(file)]


def seqs_of_mot(path):
    return (read_mot(path).frame - 1).tolist()


def seqs_of_coco(path):
    content = json.loads(path.read_text())
    seqs = [image["id"] for image in content["images"]]
    assert [annotation["image_id"] for annotation in content["annotations"]] == seqs
    return seqs


def seqs_of_parquet(path):
    with path.open("rb") as file:
        return pq.read_table(file)["seq"].to_pylist()


def seqs_of_video(path):
    """Tell the frames by their times, which count from the first; an empty video is no file."""
    if not path.exists():
        return []
    with av.open(str(path)) as container:
        return [round(frame.time * 25) for frame in container.decode(video=0)]


FILES = {
    "tracks": (TracksFile, seqs_of_tracks),
    "jsonl": (JsonlFile, seqs_of_jsonl),
    "csv": (CsvFile, seqs_of_csv),
    "mot": (MotFile, seqs_of_mot),
    "coco": (CocoFile, seqs_of_coco),
    "parquet": (ParquetFile, seqs_of_parquet),
    "video": (VideoFile, seqs_of_video),
}


@pytest.fixture(params=["list", *FILES])
def sink_and_reader(request, tmp_path):
    """Give a sink, and a function that reads back which frames its output holds."""
    if request.param == "list":
        sink = ListSink()
        return sink, lambda: [frame.seq for frame in sink.frames]
    kind, read = FILES[request.param]
    path = tmp_path / "out" / "result.file"
    return kind(path), lambda: read(path)


@pytest.fixture(params=list(FILES))
def file_kind(request):
    return FILES[request.param]


def write(sink, seqs):
    sink.open(STREAM)
    for seq in seqs:
        sink.write(frame_of(seq))


def write_and_close(sink, seqs):
    write(sink, seqs)
    sink.close()


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


@contextmanager
def file_size_limited_to(size_bytes):
    """Have the kernel refuse to let any file grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_it_is_a_sink(sink_and_reader):
    assert isinstance(sink_and_reader[0], Sink)


def test_frames_are_kept_in_order_and_gaps_stay_gaps(sink_and_reader):
    sink, read = sink_and_reader
    write(sink, [0, 1, 4, 5, 19])
    sink.close()
    assert read() == [0, 1, 4, 5, 19]


def test_closing_twice_does_no_harm(sink_and_reader):
    sink, read = sink_and_reader
    write(sink, [0, 1])
    sink.close()
    sink.close()
    assert read() == [0, 1]


def test_without_frames_the_output_is_valid_and_empty(sink_and_reader):
    sink, read = sink_and_reader
    sink.open(STREAM)
    sink.close()
    assert read() == []


def test_closing_or_discarding_what_was_never_opened_does_nothing(sink_and_reader, tmp_path):
    sink, _ = sink_and_reader
    sink.close()
    sink.discard()
    assert names_in(tmp_path) == []


def test_discarding_after_closing_keeps_the_output(sink_and_reader):
    sink, read = sink_and_reader
    write(sink, [0, 1])
    sink.close()
    sink.discard()
    assert read() == [0, 1]


def test_closing_after_discarding_makes_no_output(sink_and_reader, tmp_path):
    sink, _ = sink_and_reader
    write(sink, range(5))
    sink.discard()
    sink.close()
    assert getattr(sink, "frames", []) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_closed_sink_opens_again_and_replaces_its_output(sink_and_reader):
    sink, read = sink_and_reader
    write(sink, [0, 1, 2])
    sink.close()
    write(sink, [0, 1])
    sink.close()
    assert read() == [0, 1]


def test_opening_an_open_sink_and_writing_to_a_closed_one_are_errors(sink_and_reader):
    sink, read = sink_and_reader
    with pytest.raises(RuntimeError, match="not open"):
        sink.write(frame_of(0))
    write(sink, [0])
    with pytest.raises(RuntimeError, match="open already"):
        sink.open(STREAM)
    sink.close()
    assert read() == [0]


def test_a_file_appears_under_its_name_when_it_is_complete(file_kind, tmp_path):
    kind, read = file_kind
    path = tmp_path / "a" / "b" / "result.file"
    sink = kind(path)
    write(sink, [0, 1])
    assert names_in(path.parent) == ["result.file.part"]
    sink.close()
    assert names_in(path.parent) == ["result.file"]
    assert read(path) == [0, 1]


def test_a_file_that_is_there_already_stays_as_it_is_until_it_is_replaced(file_kind, tmp_path):
    kind, read = file_kind
    path = tmp_path / "result.file"
    path.write_text("old")
    sink = kind(path)
    write(sink, [0])
    sink.discard()
    assert path.read_text() == "old"
    write(sink, [0])
    sink.close()
    assert read(path) == [0]


def test_what_a_killed_run_left_behind_is_overwritten(file_kind, tmp_path):
    kind, read = file_kind
    (tmp_path / "result.file.part").write_text("x" * 100_000)
    sink = kind(tmp_path / "result.file")
    write(sink, [0])
    sink.close()
    assert names_in(tmp_path) == ["result.file"]
    assert read(tmp_path / "result.file") == [0]


def test_a_file_that_is_being_written_is_refused_and_goes_on_as_it_was(file_kind, tmp_path):
    kind, read = file_kind
    path = tmp_path / "result.file"
    first, second = kind(path), kind(tmp_path / ".." / tmp_path.name / "result.file")
    write(first, [0, 1])
    with pytest.raises(
        OutputError, match=r"result\.file: another run, or .* is writing it"
    ) as caught:
        second.open(STREAM)
    assert "\n" not in str(caught.value)
    second.close()
    second.discard()
    first.write(frame_of(2))
    first.close()
    assert names_in(tmp_path) == ["result.file"]
    assert read(path) == [0, 1, 2]


@pytest.mark.parametrize("end", ["close", "discard"])
def test_a_file_that_is_not_written_any_more_can_be_written_by_another(file_kind, tmp_path, end):
    kind, read = file_kind
    first, second = kind(tmp_path / "result.file"), kind(tmp_path / "result.file")
    write(first, [0])
    getattr(first, end)()
    write(second, [1, 2])
    second.close()
    assert len(read(tmp_path / "result.file")) == 2


def test_who_has_lost_the_unfinished_file_leaves_the_one_of_another_alone(file_kind, tmp_path):
    kind, read = file_kind
    first, second = kind(tmp_path / "result.file"), kind(tmp_path / "result.file")
    write(first, [0])
    (tmp_path / "result.file.part").unlink()
    write(second, [0, 1])
    with pytest.raises(OutputError, match="No such file"):
        first.close()
    second.close()
    assert names_in(tmp_path) == ["result.file"]
    assert read(tmp_path / "result.file") == [0, 1]


def test_names_with_spaces_colons_and_other_scripts_work(file_kind, tmp_path, monkeypatch):
    kind, read = file_kind
    monkeypatch.chdir(tmp_path)
    sink = kind("http: straße/通り %d.file")
    write(sink, [0])
    sink.close()
    assert read(tmp_path / "http: straße" / "通り %d.file") == [0]


def test_a_sink_per_stream_writes_where_the_name_of_the_stream_says(file_kind, tmp_path):
    kind, read = file_kind
    sink = kind(tmp_path / "{stream}" / "result-{stream}.file")
    streams = [replace(STREAM, name=name) for name in ("north", "south")]
    made = [sink.for_stream(stream) for stream in streams]
    for one, stream, seqs in zip(made, streams, ([0, 1], [0]), strict=True):
        assert type(one) is kind
        one.open(stream)
        for seq in seqs:
            one.write(frame_of(seq))
    for one in made:
        one.close()
    assert read(tmp_path / "north" / "result-north.file") == [0, 1]
    assert read(tmp_path / "south" / "result-south.file") == [0]
    assert names_in(tmp_path) == ["north", "south"]


def test_a_sink_whose_path_does_not_name_the_stream_is_for_one_stream(file_kind, tmp_path):
    sink = file_kind[0](tmp_path / "stream.file")
    assert sink.for_stream(STREAM) is sink


def test_a_stream_may_have_a_name_that_is_no_text(file_kind, tmp_path):
    kind, read = file_kind
    name = os.fsdecode(b"caf\xe9")
    sink = kind(tmp_path / f"{name}.file")
    sink.open(StreamInfo(name=name, width=64, height=48, time_base=STREAM.time_base))
    sink.write(frame_of(0))
    sink.close()
    assert read(tmp_path / f"{name}.file") == [0]


@pytest.mark.parametrize("path", ["folder", "file/result", "/proc/nowhere/result", "file/a/b"])
def test_a_place_that_cannot_be_written_is_a_one_line_error_that_leaves_nothing(
    file_kind, tmp_path, path
):
    kind, _ = file_kind
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("here first")
    sink = kind(tmp_path / path)
    with pytest.raises(OutputError, match=path) as caught:
        sink.open(STREAM)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == ["file", "folder"]
    sink.close()


def test_an_unfinished_file_that_cannot_be_made_is_an_error_when_opening(file_kind, tmp_path):
    kind, _ = file_kind
    (tmp_path / "result.file.part").mkdir()
    sink = kind(tmp_path / "result.file")
    with pytest.raises(OutputError, match="Is a directory"):
        sink.open(STREAM)
    assert names_in(tmp_path) == ["result.file.part"]


def test_a_file_that_cannot_be_moved_to_its_place_is_an_error_when_closing(file_kind, tmp_path):
    kind, _ = file_kind
    sink = kind(tmp_path / "result.file")
    write(sink, [0])
    (tmp_path / "result.file").mkdir()
    with pytest.raises(OutputError, match=r"result\.file: Is a directory"):
        sink.close()
    assert names_in(tmp_path) == ["result.file"]
    sink.close()


@pytest.mark.parametrize("path", ["", "/", "."])
def test_a_path_without_a_name_is_refused_at_once(file_kind, path):
    with pytest.raises(ValueError, match="path must name a file"):
        file_kind[0](path)


def test_a_disk_that_refuses_more_is_an_error_and_nothing_is_left(file_kind, tmp_path):
    kind, _ = file_kind
    sink = kind(tmp_path / "result.file")
    with (
        file_size_limited_to(20_000),
        pytest.raises(OutputError, match=r"result\.file: ") as caught,
    ):
        write_and_close(sink, range(1000))
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == []
    sink.close()
    assert names_in(tmp_path) == []


def test_a_full_device_is_an_error_that_says_so_and_nothing_is_left(file_kind, tmp_path):
    kind, _ = file_kind
    (tmp_path / "result.file.part").symlink_to("/dev/full")
    sink = kind(tmp_path / "result.file")
    with pytest.raises(OutputError, match="No space left on device"):
        write_and_close(sink, range(1000))
    assert names_in(tmp_path) == []


def test_an_error_leaves_other_sinks_able_to_finish(file_kind, tmp_path):
    """A sink that failed can still be told to close, as a runner does with all of them."""
    kind, read = file_kind
    healthy = kind(tmp_path / "healthy.file")
    write(healthy, [0, 1])
    (tmp_path / "broken.file.part").symlink_to("/dev/full")
    broken = kind(tmp_path / "broken.file")
    with pytest.raises(OutputError):
        write_and_close(broken, range(1000))
    broken.close()
    healthy.close()
    assert read(tmp_path / "healthy.file") == [0, 1]
