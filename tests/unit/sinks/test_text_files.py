"""What the text formats hold, to the byte where that matters."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.errors import OutputError
from sightline.formats.mot import read_mot
from sightline.sinks.coco import CocoFile
from sightline.sinks.csv import CsvFile
from sightline.sinks.jsonl import JsonlFile
from sightline.sinks.mot import MotFile
from sightline.sinks.parquet import ParquetFile
from sightline.sinks.tracks import TracksFile

NASTY = ('"quoted", comma', "line\nbreak", "日本 ü", "back\\slash", "")


@pytest.fixture
def two_objects(frame_with):
    """Give a frame with a tracked and an untracked object, in numbers that float32 rounds."""
    return frame_with(
        7,
        pts=10,
        xyxy=[[0.1, -0.00001, 10.3, 20.7], [1, 2, 3, 5]],
        confidence=[0.3, 0.87654],
        class_id=[1, 5],
        track_id=[12, -1],
        class_names=("car", "person"),
    )


def test_jsonl_has_a_line_per_frame_with_all_objects(tmp_path, written, two_objects, frame_with):
    path = written(JsonlFile(tmp_path / "d.jsonl"), two_objects, frame_with(9, pts=12))
    assert path.read_text() == (
        '{"seq":7,"pts":10,"time_s":0.333333,"detections":['
        '{"xyxy":[0.1,0.0,10.3,20.7],"confidence":0.3,"class_id":1,"class":"person",'
        '"track_id":12},'
        '{"xyxy":[1.0,2.0,3.0,5.0],"confidence":0.8765,"class_id":5,"class":"5","track_id":-1}'
        "]}\n"
        '{"seq":9,"pts":12,"time_s":0.4,"detections":[]}\n'
    )


def test_tracks_are_grouped_by_id_and_leave_untracked_objects_out(
    tmp_path, written, two_objects, frame_with
):
    other = frame_with(8, xyxy=[[1, 1, 2, 2], [3, 3, 4, 4]], track_id=[2, 12])
    path = written(TracksFile(tmp_path / "tracks.json"), two_objects, other)
    assert path.read_text() == (
        "{\n"
        '"2":[{"class":"0","frame_number":8,"positions":{"x1":1.0,"y1":1.0,"x2":2.0,"y2":2.0}}],\n'
        '"12":[{"class":"person","frame_number":7,'
        '"positions":{"x1":0.1,"y1":0.0,"x2":10.3,"y2":20.7}},'
        '{"class":"0","frame_number":8,"positions":{"x1":3.0,"y1":3.0,"x2":4.0,"y2":4.0}}]\n'
        "}\n"
    )


def test_csv_has_a_header_and_a_row_per_tracked_object(tmp_path, written, two_objects):
    header = "seq,time_s,track_id,class_id,class,confidence,x1,y1,x2,y2\n"
    tracked = "7,0.333333,12,1,person,0.3,0.1,0.0,10.3,20.7\n"
    untracked = "7,0.333333,-1,5,5,0.8765,1.0,2.0,3.0,5.0\n"
    path = tmp_path / "tracks.csv"
    assert written(CsvFile(path), two_objects).read_text() == header + tracked
    assert (
        written(CsvFile(path, untracked="write"), two_objects).read_text()
        == header + tracked + untracked
    )


def test_mot_has_a_row_per_tracked_object_with_frames_from_1(tmp_path, written, two_objects):
    tracked = "8,12,0.100,0.000,10.200,20.700,0.3000,-1,-1,-1\n"
    untracked = "8,-1,1.000,2.000,2.000,3.000,0.8765,-1,-1,-1\n"
    path = tmp_path / "mot.txt"
    assert written(MotFile(path), two_objects).read_text() == tracked
    assert written(MotFile(path, untracked="write"), two_objects).read_text() == tracked + untracked


def test_coco_has_images_annotations_with_score_and_track_and_categories(
    tmp_path, written, two_objects, frame_with
):
    path = written(CocoFile(tmp_path / "coco.json"), two_objects, frame_with(8, pts=11))
    assert json.loads(path.read_text()) == {
        "info": {"description": "street"},
        "images": [
            {
                "id": 7,
                "file_name": "street/000007.jpg",
                "width": 8,
                "height": 6,
                "time_s": 0.333333,
            },
            {
                "id": 8,
                "file_name": "street/000008.jpg",
                "width": 8,
                "height": 6,
                "time_s": 0.366667,
            },
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 1,
                "bbox": [0.1, 0.0, 10.2, 20.7],
                "area": 211.14,
                "iscrowd": 0,
                "score": 0.3,
                "track_id": 12,
            },
            {
                "id": 2,
                "image_id": 7,
                "category_id": 5,
                "bbox": [1.0, 2.0, 2.0, 3.0],
                "area": 6.0,
                "iscrowd": 0,
                "score": 0.8765,
                "track_id": -1,
            },
        ],
        "categories": [
            {"id": 0, "name": "car"},
            {"id": 1, "name": "person"},
            {"id": 5, "name": "5"},
        ],
    }


def test_coco_refuses_a_class_that_changes_its_name(tmp_path, street, frame_with):
    sink = CocoFile(tmp_path / "coco.json")
    sink.open(street)
    sink.write(frame_with(class_names=("car",)))
    with pytest.raises(OutputError, match="class 0 is called 'car' at first and 'bus' later"):
        sink.write(frame_with(1, class_names=("bus",)))
    sink.close()
    assert len(json.loads(sink.path.read_text())["images"]) == 1


def test_class_names_with_quotes_commas_and_line_breaks_come_back_as_they_were(
    tmp_path, written, frame_with
):
    count = len(NASTY)
    frame = frame_with(
        xyxy=np.ones((count, 4)),
        class_id=range(count),
        track_id=range(1, count + 1),
        class_names=NASTY,
    )
    lines = written(JsonlFile(tmp_path / "d.jsonl"), frame).read_text().splitlines()
    assert [d["class"] for d in json.loads(lines[0])["detections"]] == list(NASTY)
    tracks = json.loads(written(TracksFile(tmp_path / "tracks.json"), frame).read_text())
    assert [track[0]["class"] for track in tracks.values()] == list(NASTY)
    coco = json.loads(written(CocoFile(tmp_path / "coco.json"), frame).read_text())
    assert [category["name"] for category in coco["categories"]] == list(NASTY)
    with written(CsvFile(tmp_path / "tracks.csv"), frame).open(newline="") as file:
        assert [row["class"] for row in csv.DictReader(file)] == list(NASTY)


@pytest.mark.parametrize("kind", [TracksFile, JsonlFile, CsvFile, MotFile, CocoFile])
@pytest.mark.parametrize("broken", ["xyxy", "confidence"])
def test_what_is_not_a_number_is_refused_and_the_frames_before_it_stay(
    tmp_path, street, frame_with, kind, broken
):
    good = {"xyxy": [[0, 0, 1, 1]], "confidence": [0.5], "track_id": [1]}
    bad = {**good, broken: np.multiply(good[broken], np.nan)}
    sink, reference = kind(tmp_path / "out"), kind(tmp_path / "reference")
    sink.open(street)
    reference.open(street)
    for each in (sink, reference):
        each.write(frame_with(0, **good))
    with pytest.raises(OutputError, match="frame 1 has a box or confidence that is not a finite"):
        sink.write(frame_with(1, **bad))
    sink.close()
    reference.close()
    assert sink.path.read_bytes() == reference.path.read_bytes()


@pytest.mark.parametrize("kind", [CsvFile, MotFile, ParquetFile])
def test_a_misspelt_choice_is_refused_at_once(tmp_path, kind):
    with pytest.raises(ValueError, match="untracked must be 'skip' or 'write', but is 'keep'"):
        kind(tmp_path / "out", untracked="keep")


@settings(deadline=None, max_examples=50)
@given(
    boxes=arrays(
        np.float32,
        st.tuples(st.integers(0, 5), st.just(4)),
        elements=st.floats(-1e4, 1e4, width=32),
    ),
    data=st.data(),
)
def test_boxes_and_confidences_come_back_to_their_decimals(
    tmp_path_factory, written, frame_with, boxes, data
):
    folder = tmp_path_factory.mktemp("round-trip")
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    confidence = data.draw(
        arrays(np.float32, len(boxes), elements=st.floats(0, 1, width=32)), label="confidence"
    )
    track_id = np.arange(1, len(boxes) + 1)
    frame = frame_with(3, xyxy=boxes, confidence=confidence, track_id=track_id)

    line = json.loads(written(JsonlFile(folder / "d.jsonl"), frame).read_text())
    assert [d["track_id"] for d in line["detections"]] == track_id.tolist()
    for found, box, score in zip(line["detections"], boxes, confidence, strict=True):
        assert found["xyxy"] == pytest.approx(box.tolist(), abs=0.00051)
        assert found["confidence"] == pytest.approx(float(score), abs=0.000051)

    rows = read_mot(written(MotFile(folder / "mot.txt"), frame))
    assert rows.frame.tolist() == [4] * len(boxes)
    assert rows.track_id.tolist() == track_id.tolist()
    np.testing.assert_allclose(rows.xyxy, boxes, rtol=0, atol=0.0016)
    np.testing.assert_allclose(rows.confidence, confidence, rtol=0, atol=0.000051)

    tracks = json.loads(written(TracksFile(folder / "tracks.json"), frame).read_text())
    assert [int(track_id) for track_id in tracks] == track_id.tolist()
    for (entry,), box in zip(tracks.values(), boxes, strict=True):
        assert list(entry["positions"].values()) == pytest.approx(box.tolist(), abs=0.00051)
