"""The graph gives what the inline runner gives, byte for byte."""

import pytest
from tests.graph_stages import (
    AddInPlace,
    Boxes,
    Count,
    FillInPlace,
    FirstFrames,
    Measure,
    Numbered,
    Read,
    Renew,
    Retime,
    RetimeInOrder,
)
from tests.graph_witness import Notes

import sightline as sl
from sightline.pipeline.per_object import PerObject

SCENE = "scene:street?seed=3&frames=100"


def outputs(folder):
    return [
        sl.MotFile(folder / "mot.txt"),
        sl.JsonlFile(folder / "detections.jsonl"),
        sl.CsvFile(folder / "tracks.csv"),
    ]


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    """What the inline runner writes for the scene."""
    folder = tmp_path_factory.mktemp("inline")
    sl.Pipeline([sl.Detect("motion"), sl.Track()]).run(SCENE, outputs(folder))
    return written(folder)


@pytest.mark.parametrize("handlers", [1, 2, 8])
def test_detector_in_order_and_tracker_write_what_they_write_inline(
    graphs, tmp_path, inline, handlers
):
    report = graphs.run(
        [sl.Detect("motion"), sl.Track()], [SCENE], outputs(tmp_path), handlers=handlers
    )

    assert written(tmp_path) == inline
    assert len(inline["mot.txt"]) > 1000
    assert report.complete


@pytest.mark.parametrize("handlers", [1, 2, 8])
def test_frames_from_handlers_are_tracked_as_they_are_inline(graphs, tmp_path, handlers):
    folders = tmp_path / "inline", tmp_path / "graph"
    stages = [Boxes(), sl.Draw(), sl.Track()]
    sl.Pipeline(stages).run(Numbered("a", 150), outputs(folders[0]))

    graphs.run(stages, [Numbered("a", 150)], outputs(folders[1]), handlers=handlers)

    assert written(folders[1]) == written(folders[0])


def test_a_model_on_real_video_gives_what_it_gives_inline(graphs, tmp_path, shared_data):
    video = FirstFrames(shared_data / "videos" / "pedestrians.mp4", 24)
    model = shared_data / "models" / "yolox_nano.onnx"
    folders = tmp_path / "inline", tmp_path / "graph"
    sl.Pipeline([sl.Detect(model), sl.Track()]).run(
        FirstFrames(video.path, 24), outputs(folders[0])
    )

    report = graphs.run([sl.Detect(model), sl.Track()], [video], outputs(folders[1]), handlers=2)

    assert written(folders[1]) == written(folders[0])
    assert len(written(folders[1])["mot.txt"]) > 1000
    assert report.complete


PER_OBJECT = {
    "all well": [Boxes(), PerObject(Measure())],
    "one dropped": [Boxes(), PerObject(Measure(drop=34))],
    "one fails": [Boxes(), PerObject(Measure(fail=34))],
    "twice": [Boxes(), PerObject(Measure()), Read(), PerObject(Read())],
    "in order": [Boxes(), sl.Track(), PerObject(Measure()), Renew(), PerObject(Read())],
    "no objects": [PerObject(Measure())],
    "data changed in place": [Boxes(), PerObject(Measure()), AddInPlace()],
}


@pytest.mark.parametrize("stages", PER_OBJECT.values(), ids=PER_OBJECT)
def test_objects_spread_over_handlers_come_back_as_they_do_inline(graphs, stages):
    inline, notes = Notes(), Notes()
    expected = sl.Pipeline(stages).run(
        Numbered("a", 60), [inline], options=sl.RunOptions(max_failures=100)
    )

    report = graphs.run(stages, [Numbered("a", 60), Numbered("b", 60)], [notes], handlers=4)

    for name in "ab":
        assert notes.streams[name].lines == inline.streams["a"].lines
        failed = report.streams[name].run.failed
        assert [(f.seq, f.error) for f in failed] == [(f.seq, f.error) for f in expected.failed]
    assert len(inline.streams["a"].lines) >= 59


RETIMED = {
    "by a handler": [Retime(20), Read()],
    "in order": [Read(), RetimeInOrder(20), Count()],
    "of an object": [Boxes(), PerObject(Retime(22))],
}


@pytest.mark.parametrize("stages", RETIMED.values(), ids=RETIMED)
def test_a_stage_that_replaces_the_time_of_a_frame_fails_it_as_it_does_inline(graphs, stages):
    inline, notes = Notes(), Notes()
    expected = sl.Pipeline(stages).run(
        Numbered("a", 40), [inline], options=sl.RunOptions(max_failures=1)
    )

    report = graphs.run(stages, [Numbered("a", 40)], [notes], handlers=2)

    assert notes.streams["a"].lines == inline.streams["a"].lines
    (failed,), (same,) = expected.failed, report.streams["a"].run.failed
    assert (same.seq, same.stage, same.error) == (failed.seq, failed.stage, failed.error)
    assert "replaced pts" in failed.error


@pytest.mark.parametrize(
    "stages",
    [[FillInPlace()], [Boxes(), PerObject(FillInPlace())]],
    ids=["of the frame", "of an object"],
)
def test_empty_data_cannot_be_filled_in_place_wherever_that_is_tried(graphs, stages):
    expected = sl.Pipeline(stages).run(Numbered("a", 9), options=sl.RunOptions(max_failures=9))

    report = graphs.run(stages, [Numbered("a", 9)], handlers=2)

    failed = report.streams["a"].run.failed
    assert [(f.seq, f.error) for f in failed] == [(f.seq, f.error) for f in expected.failed]
    assert "does not support item assignment" in failed[0].error


def test_a_stream_stage_need_not_be_such_that_it_can_be_sent_to_another_process(graphs):
    class Local(Count):
        pass

    notes = Notes()
    graphs.run([Read(), Local()], [Numbered("a", 30)], [notes])

    assert [data["count"] for data in notes.data("a")] == list(range(1, 31))
