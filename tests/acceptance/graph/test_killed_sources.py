"""Feeder processes that are killed: files resume, live sources begin anew."""

import os
import random
import signal
from contextlib import suppress

import pytest
from tests.graph_stages import Count, Dying, DyingOnce, Numbered, Pause, RaisingOnce, Read, Renew
from tests.graph_witness import Notes, processes_of, segments_of, until
from tests.lengths import short_or_long

import sightline as sl
from sightline.pipeline.stream_spec import StreamSpec


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    sl.Pipeline([sl.Track()]).run("scene:street?seed=3&frames=150", [sl.VideoFile(path)])
    return path


def kill_feeder(run, *, after):
    until(lambda: run.report.frames >= after)
    for pid in processes_of(run, "feeder").values():
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)


def stages():
    return [Pause(0.002), Renew(), sl.Detect("motion"), sl.Track()]


@pytest.fixture(scope="module")
def undisturbed(video, tmp_path_factory):
    """What a run in one process writes, by file name."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sl.Pipeline(stages()).run(str(video), outputs(folder))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def outputs(folder):
    return [sl.MotFile(folder / "mot.txt"), sl.JsonlFile(folder / "detections.jsonl")]


@pytest.mark.parametrize("seed", range(short_or_long(2, 8)))
def test_a_file_resumes_where_its_process_was_killed(graphs, video, undisturbed, tmp_path, seed):
    run = graphs.start(stages(), [video], outputs(tmp_path))
    dice = random.Random(seed)
    for after in sorted(dice.sample(range(1, 120), 2)):
        kill_feeder(run, after=after)
    assert run.wait(60)

    (report,) = run.report.streams.values()
    assert report.restarts >= 1
    assert report.run.frames == 150
    for name in ("mot.txt", "detections.jsonl"):
        assert (tmp_path / name).read_bytes() == undisturbed[name]


@pytest.mark.parametrize("seed", range(short_or_long(2, 8)))
def test_a_source_of_ones_own_resumes_where_its_process_was_killed(graphs, seed):
    notes = Notes()
    run = graphs.start(
        [Renew(), Read(), Pause(0.002), Count()],
        [Numbered("a", 300), Numbered("b", 300)],
        [notes],
    )
    dice = random.Random(seed)
    for after in sorted(dice.sample(range(1, 500), 3)):
        kill_feeder(run, after=after)
    assert run.wait(60)

    for name in "ab":
        lines = notes.streams[name].lines
        assert [(seq, shown) for seq, shown, _ in lines] == [(n, n) for n in range(300)]
        assert [data["count"] for _, _, data in lines] == list(range(1, 301))
        assert run.report.streams[name].restarts >= 1
        assert run.report.streams[name].complete


@pytest.mark.parametrize("source", [DyingOnce, RaisingOnce], ids=["dies", "fails"])
def test_a_recording_that_is_repeated_resumes_where_it_was_cut_short(graphs, tmp_path, source):
    notes = Notes()
    repeated = source(41, tmp_path / "flag", name="a", count=100)
    run = graphs.start([Read(), Count()], [StreamSpec(repeated, restart="always")], [notes])
    until(lambda: run.report.frames >= 150)
    run.stop()

    data = notes.data("a")[:150]
    assert [of["read"] for of in data] == [*range(100), *range(50)]
    assert [of["count"] for of in data] == [*range(1, 101), *range(1, 51)]
    assert notes.seqs("a") == list(range(run.report.streams["a"].run.frames))


def test_a_live_source_whose_process_dies_begins_a_new_epoch_with_fresh_stages(graphs, tmp_path):
    notes = Notes()
    source = DyingOnce(40, tmp_path / "flag", name="cam", count=60, live=True)
    report = graphs.run(
        [Read(), Pause(0.005), Count()], [StreamSpec(source, mode="every-frame")], [notes]
    )

    read = [data["read"] for data in notes.data("cam")]
    first = len(read) - 60  # what had not left the process when it died is lost
    assert 30 <= first <= 40
    assert notes.seqs("cam") == list(range(len(read)))
    assert read == [*range(first), *range(60)]
    assert [data["count"] for data in notes.data("cam")] == [*range(1, first + 1), *range(1, 61)]
    assert report.streams["cam"].restarts == 1


def test_a_live_source_that_must_not_be_opened_again_ends_with_its_process(graphs):
    notes = Notes()
    cam = StreamSpec(Dying(30, name="cam", live=True), mode="every-frame", restart="never")
    report = graphs.run([Read(), Count()], [cam, Numbered("good", 120)], [notes])

    assert report.streams["cam"].restarts == 0
    assert "its restart policy is 'never'" in str(report.streams["cam"].error)
    assert notes.seqs("cam") == list(range(report.streams["cam"].admitted))
    assert notes.seqs("good") == list(range(120))


def test_processes_that_were_killed_leave_no_memory_while_the_graph_goes_on(graphs):
    run = graphs.start([Renew(), Pause(0.002)], [Numbered("a", 600)])
    for after in (50, 150, 250):
        kill_feeder(run, after=after)
        until(lambda after=after: run.report.frames >= after + 50)
        until(lambda: len(segments_of(run)) == 2)  # of frames, and of images made of them
    assert run.wait(60)
    assert run.report.streams["a"].restarts == 3
