"""Stages that raise, or return what they must not: one frame fails, and the pipeline goes on."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from tests.graph_stages import (
    Batches,
    CannotOpen,
    Careless,
    Count,
    Misnamed,
    MisnamedInOrder,
    Named,
    Numbered,
    Pause,
    Read,
    Refuse,
    RefuseInOrder,
    Renew,
    Unpackable,
    UnpackableInOrder,
    Wrong,
)
from tests.graph_witness import Notes, outcomes

from sightline import PipelineError, Stage, StageError
from sightline.errors import GraphError
from sightline.graph import running
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stream_spec import StreamSpec


@pytest.mark.parametrize("stage", [Refuse, RefuseInOrder])
def test_a_frame_on_which_a_stage_raises_fails_with_its_traceback_and_others_go_on(graphs, stage):
    notes = Notes()
    report = graphs.run([stage(drop=1000, fail=20)], [Numbered("a", 50)], [notes])

    failed = report.streams["a"].run.failed
    assert [failure.seq for failure in failed] == [19, 39]
    assert failed[0].stage == stage.__name__.lower()
    assert failed[0].error == "ValueError: frame 19 is not to my taste"
    assert "raise ValueError" in failed[0].traceback
    assert notes.seqs("a") == [seq for seq in range(50) if seq not in (19, 39)]


@pytest.mark.parametrize(
    "stages",
    [
        [Wrong(30)],
        [Unpackable(30)],
        [Misnamed(30)],
        [UnpackableInOrder(30), PerObject(Read())],
        [MisnamedInOrder(30), PerObject(Read())],
    ],
    ids=["no frame", "odd data", "odd name", "odd data in order", "odd name in order"],
)
def test_a_result_that_cannot_travel_is_a_failure_of_its_frame_alone(graphs, stages):
    notes = Notes()
    report = graphs.run(stages, [Numbered("a", 60)], [notes])

    (failure,) = report.streams["a"].run.failed
    assert failure.seq == 30
    assert notes.seqs("a") == [seq for seq in range(60) if seq != 30]
    assert report.handler_restarts == 0
    assert report.streams["a"].error is None


@pytest.mark.parametrize("slip", ["bad_name", "bad_error", "bad_detections"])
def test_a_slip_of_a_stage_fails_its_frame_alone(graphs, slip):
    notes = Notes()
    report = graphs.run([Careless(slip, at=30)], [Numbered("a", 60)], [notes])

    (failure,) = report.streams["a"].run.failed
    assert failure.seq == 30
    assert notes.seqs("a") == [seq for seq in range(60) if seq != 30]
    assert report.handler_restarts == 0


@pytest.mark.parametrize("names", [["person"], (np.str_("person"),)], ids=["list", "numpy"])
def test_class_names_may_be_of_any_kind_of_string_and_sequence(graphs, names):
    report = graphs.run([Named(names)], [Numbered("a", 20)])

    assert report.streams["a"].complete


def test_a_graph_ends_with_an_error_when_more_frames_fail_than_allowed(graphs):
    notes = Notes()
    with (
        pytest.raises(StageError, match=r"frame \d+ of stream 'a': ValueError") as caught,
        graphs.start(
            [Refuse(drop=1000, fail=10)], [Numbered("a", 10_000)], [notes], max_failures=2
        ) as run,
    ):
        run.wait(60)

    assert caught.value.stage == "refuse"
    assert (
        notes.seqs("a")
        == [s for s in range(len(notes.seqs("a")) * 2) if s % 10 != 9][: len(notes.seqs("a"))]
    )


def test_of_very_many_failed_frames_the_first_and_the_latest_are_kept_and_all_are_counted(graphs):
    report = graphs.run([Refuse(drop=1000, fail=1)], [Numbered("a", 500)], max_failures=500)

    stream = report.streams["a"]
    assert [failure.seq for failure in stream.run.failed] == [*range(100), *range(400, 500)]
    assert stream.failures == {"refuse": 500}
    assert stream.admitted == outcomes(stream) == 500
    assert not stream.complete


def test_failed_frames_that_are_not_kept_count_towards_the_limit(graphs):
    with (
        pytest.raises(StageError, match="frame 300 of stream 'a'"),
        graphs.start([Refuse(fail=1)], [Numbered("a", 500)], max_failures=300) as run,
    ):
        run.wait(60)


def test_a_stage_that_cannot_open_is_reported_before_anything_is_written(graphs):
    notes = Notes()
    with (
        pytest.raises(GraphError, match="the model is broken"),
        graphs.start([CannotOpen()], [Numbered("a")], [notes]) as run,
    ):
        run.wait(60)

    assert notes.streams == {} or not notes.streams["a"].lines


def test_what_cannot_be_sent_to_another_process_is_refused_and_leaves_nothing(graphs):
    class Local(Stage):
        def process(self, frame):
            return frame

    class LocalSource(Numbered):
        pass

    with pytest.raises(PipelineError, match="stage 'local' cannot be sent"):
        graphs.start([Local()], [Numbered("a")])
    with pytest.raises(PipelineError, match="source 'source 2' cannot be sent"):
        graphs.start([Read()], [Numbered("a"), LocalSource("b")])
    spec = StreamSpec(Numbered("a"), name="x")
    with pytest.raises(GraphError, match="there is a stream 'x' already"):
        graphs.start([Read()], [spec, spec])


def test_a_class_under_the_guard_of_a_script_is_refused_with_what_to_do(tmp_path):
    script = tmp_path / "guarded.py"
    script.write_text(
        "import sightline as sl\n"
        "if __name__ == '__main__':\n"
        "    class Local(sl.Stage):\n"
        "        def process(self, frame):\n"
        "            return frame\n"
        "    sl.Pipeline([Local()]).run('scene:street?frames=3', handlers=1)\n"
    )
    with tempfile.TemporaryDirectory(prefix="sl-") as base:
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "SIGHTLINE_RUNTIME_DIR": f"{base}/runs"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "do not find 'Local' in it: define it in a module" in done.stderr.splitlines()[-1]


def test_options_of_a_graph_ask_for_one(graphs, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_RUNTIME_DIR", str(graphs.base))
    report = Pipeline([Read()]).run([Numbered("a", 5)], options=GraphOptions(handlers=1))
    assert report.streams["a"].run.frames == 5


def open_files():
    """Count the open file descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_graph_that_cannot_start_leaves_no_file_open(graphs, monkeypatch):
    class LocalSource(Numbered):
        pass

    def fail(*_):
        raise OSError("no more files")

    graphs.run([Read()], [Numbered("a", 1)])  # which starts what serves all graphs
    before = open_files()
    for sources in ([LocalSource("b")], [Numbered("a"), LocalSource("b")]):
        with pytest.raises(PipelineError, match="cannot be sent"):
            graphs.start([Read()], sources)
    assert open_files() <= before  # what others have left may be closed meanwhile
    monkeypatch.setattr(running, "ControlServer", fail)
    with pytest.raises(OSError, match="no more files"):
        graphs.start([Read()], [Numbered("a")])
    assert open_files() <= before  # what others have left may be closed meanwhile


def test_a_stage_gets_batches_and_a_bad_frame_in_one_fails_alone(graphs):
    notes = Notes()
    report = graphs.run(
        [Pause(0.002), Batches(bad=50), Count()], [Numbered("a", 200)], [notes], handlers=2
    )

    good = [seq for seq in range(200) if seq != 50]
    assert notes.seqs("a") == good
    assert [data["read"] for data in notes.data("a")] == good
    assert [failure.seq for failure in report.streams["a"].run.failed] == [50]
    assert {data["batch"] for data in notes.data("a")} & {2, 3, 4}


def test_failures_do_not_make_a_graph_copy_or_lose_slots(graphs):
    """A traceback holds the image; 40 failures with 6 slots would end in a standstill."""
    notes = Notes()
    report = graphs.run(
        [Renew(), RefuseInOrder(drop=1000, fail=2)], [Numbered("a", 80)], [notes], handlers=1
    )

    assert len(report.streams["a"].run.failed) == 40
    assert len(notes.seqs("a")) == 40
