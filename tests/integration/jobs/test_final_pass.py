"""The final pass over results of chunks: the same as inline, whatever the chunks are."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.final_pass_case import (
    BLOBS,
    FILES,
    FRAMES,
    NO_DRAW,
    TRACK,
    GivenChunks,
    Pulse,
    Work,
    inline,
    stage,
    texts_in,
    write_video,
)

from sightline.errors import FormatError, OutputError, StageError
from sightline.frame import Frame
from sightline.jobs import publish
from sightline.jobs.chunk_result import ChunkReader, ChunkWriter
from sightline.jobs.feed import FeedEnd
from sightline.jobs.heartbeat import LeaseLostError
from sightline.jobs.model import VideoFacts
from sightline.jobs.results import ResultsReader
from sightline.media.opening import open_source
from sightline.stream import Losses

PIPELINES = {
    "plain": NO_DRAW,
    "drops in chunks": [BLOBS, stage("DropsEvery", step=4), TRACK],
    "drops in order": [BLOBS, TRACK, stage("DropsThirds", step=3)],
    "failures in both": [
        stage("RaisesEvery", step=7),
        BLOBS,
        TRACK,
        stage("RaisesThirds", step=9),
    ],
    "drops, then reads images": [BLOBS, stage("DropsEvery", step=6), stage("Brightness"), TRACK],
    "drops, all in order": [stage("DropsThirds", step=5), BLOBS, TRACK],
}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "squares.mp4")


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, FRAMES - 1), max_size=6), pauses=st.lists(st.integers(1, 3)))
def test_results_equal_those_of_an_inline_run_byte_for_byte(
    video, tmp_path_factory, name, cuts, pauses
):
    stages, folder = PIPELINES[name], tmp_path_factory.mktemp("job")
    work = Work(video, folder / "job", stages, max_failures=20)
    expected, report = inline(video, folder / "inline", stages, max_failures=20)
    pauses = [place for place in pauses if place <= len(cuts)]
    done = work.run(work.chunks(cuts, pauses=pauses))
    assert work.results() == expected
    assert set(expected) == FILES
    assert expected["mot.txt"]
    assert ("drops" in name) == bool(report.dropped)
    assert ("failures" in name) == bool(report.failed)
    assert (done.frames, done.partial) == (FRAMES, False)
    told = work.summary()
    assert told["dropped"] == report.dropped
    assert [(f["seq"], f["stage"], f["error"]) for f in told["failed"]] == [
        (f.seq, f.stage, f.error) for f in report.failed
    ]
    assert (told["frames"], told["complete"]) == (report.frames, report.complete)
    assert (told["stream"], told["width"], told["duration_s"]) == (
        "squares",
        160,
        report.stream.duration_s,
    )


def test_the_annotated_video_shows_the_frames_of_an_inline_run(video, tmp_path):
    stages = [BLOBS, TRACK, {"draw": {"trails": 5}}]
    work = Work(video, tmp_path / "job", stages, outputs=("video",))
    work.run(work.chunks([13, 14]))
    inline(video, tmp_path / "inline", stages, outputs=("video",))
    assert pixels_of(work.files.results / "annotated.mp4") == pixels_of(
        tmp_path / "inline" / "annotated.mp4"
    )


def pixels_of(path):
    with closing(open_source(path)) as source:
        return [(frame.pts, frame.image.tobytes()) for frame in source.frames()]


def test_a_time_range_is_that_of_the_job(video, tmp_path):
    work = Work(video, tmp_path / "job", [stage("DropsThirds", step=99), BLOBS], start_s=0.4)
    assert work.run(GivenChunks([])).frames == FRAMES - 10
    assert work.summary()["playback_starts_s"]["annotated"] == 0.4


def test_the_summary_tells_what_was_done_and_shows_no_traceback(video, tmp_path):
    work = Work(video, tmp_path / "job", PIPELINES["failures in both"], max_failures=20)
    done = work.run(work.chunks([20]))
    told = work.summary()
    assert set(told["failed"][0]) == {"seq", "stage", "error"}
    assert told["steps"]["read"]["calls"] == FRAMES
    assert {"track", "sink:MotFile", "sink:IndexFile"} <= told["steps"].keys()
    assert [entry["stage"] for entry in told["stages"]] == [
        "raisesevery",
        "blobs",
        "track",
        "raisesthirds",
    ]
    assert told["options"]["pipeline"] == "test"
    assert told["versions"]["sightline"]
    assert done.summary["failed"] == told["failed"]


def test_losses_of_chunks_add_up_and_become_warnings(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([20])
    for path in feed.items[:2]:
        add_losses(path, Losses(corrupt_packets=2, truncated=True, messages=["it is damaged"]))
    assert work.run(feed).warnings == ["it is damaged"]
    losses = work.summary()["losses"]
    assert (losses["corrupt_packets"], losses["truncated"]) == (4, True)


def add_losses(path, losses):
    with ChunkReader(path) as reader:
        frames = list(reader)
        with ChunkWriter(path, stream=reader.stream, stages=reader.stages) as writer:
            for found in frames:
                blank = np.zeros((found.height, found.width, 3), np.uint8)
                frame = Frame(image=blank, seq=0, pts=found.pts)
                writer.add(frame, found.outcome(frame))
            writer.finish(losses)


def test_too_many_failures_over_all_chunks_end_the_job_and_keep_what_is_finished(video, tmp_path):
    stages = PIPELINES["failures in both"]
    work = Work(video, tmp_path / "job", stages, max_failures=3)
    done = work.run(work.chunks([5, 10]))
    with pytest.raises(StageError, match="cannot stand") as expected:
        inline(video, tmp_path / "inline", stages, max_failures=3)
    assert isinstance(done.failure, StageError)
    assert str(done.failure) == str(expected.value)
    assert done.partial
    assert done.summary["frames"] == work.summary()["frames"] > 0
    assert work.results() == texts_in(tmp_path / "inline")
    assert work.summary()["complete"] is False


def test_if_every_frame_fails_nothing_is_published(video, tmp_path):
    work = Work(video, tmp_path / "job", [BLOBS, stage("RaisesThirds", step=1)])
    with pytest.raises(StageError):
        work.run(work.chunks([]))
    assert not work.files.results.exists()


def test_a_failing_job_keeps_every_chunk_before_the_first_that_is_missing(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([12, 25])
    feed.items[2:] = [None, FeedEnd.CUT_SHORT]
    heartbeat = Pulse()
    heartbeat.wrap_up = True
    done = work.run(feed, heartbeat)
    assert (done.frames, done.partial) == (25, True)
    whole, _ = inline(video, tmp_path / "inline", NO_DRAW)
    assert whole["mot.txt"].startswith(work.results()["mot.txt"])
    assert work.summary()["stopped"] is True


def test_a_canceled_job_ends_at_once_with_complete_outputs(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([30])

    def cancel(heartbeat):
        heartbeat.wrap_up = feed.canceled = True

    done = work.run(feed, Pulse(at=17, then=cancel))
    assert (done.frames, done.partial) == (17, True)
    lines = work.results()["detections.jsonl"].splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(17))
    with ResultsReader(work.files.results / "results.sqlite") as reader:
        assert len(reader.frames().rows) == 17


def test_a_canceled_job_without_chunk_stages_ends_too(video, tmp_path):
    work = Work(video, tmp_path / "job", PIPELINES["drops, all in order"])

    def wrap_up(heartbeat):
        heartbeat.wrap_up = True

    done = work.run(GivenChunks([]), Pulse(at=5, then=wrap_up))
    assert (done.frames, done.partial) == (5, True)


def test_a_job_that_ends_before_its_first_chunk_has_no_results(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    done = work.run(GivenChunks([None, FeedEnd.CUT_SHORT]))
    assert (done.frames, done.partial) == (0, True)
    assert not work.files.results.exists()


def canceled_at(feed, frames):
    """Give a heartbeat that hears of a cancel at a frame."""

    def cancel(heartbeat):
        heartbeat.wrap_up = feed.canceled = True

    return Pulse(at=frames, then=cancel)


@pytest.mark.parametrize("frames", [0, 5, 17])
def test_what_is_canceled_before_it_has_come_further_leaves_older_results(video, tmp_path, frames):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([30])
    work.kept = work.run(feed, canceled_at(feed, 17)).frames
    before = work.results()
    feed = work.chunks([30])
    done = work.run(feed, canceled_at(feed, frames))
    assert (done.frames, done.keeps_older) == (frames, True)
    assert (work.results(), work.summary()["frames"]) == (before, 17)
    assert not list(work.files.folder.glob("final.*"))


def test_what_is_canceled_later_than_before_replaces_the_results(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([30])
    work.kept = work.run(feed, canceled_at(feed, 17)).frames
    feed = work.chunks([30])
    done = work.run(feed, canceled_at(feed, 18))
    assert (done.frames, done.keeps_older, done.summary["frames"]) == (18, False, 18)
    assert work.summary()["frames"] == 18


def test_what_is_canceled_before_its_first_chunk_leaves_older_results(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    work.kept = work.run(work.chunks([9])).frames
    done = work.run(GivenChunks([None, FeedEnd.CUT_SHORT]))
    assert (done.frames, done.keeps_older) == (0, True)
    assert work.summary()["frames"] == FRAMES


def test_a_pass_that_fails_before_it_has_come_further_leaves_older_results(video, tmp_path):
    work = Work(video, tmp_path / "job", PIPELINES["failures in both"], max_failures=20)
    work.kept = work.run(work.chunks([5])).frames
    before = work.results()
    work.spec = replace(work.spec, max_failures=3)
    done = work.run(work.chunks([5]))
    assert isinstance(done.failure, StageError)
    assert done.keeps_older
    assert work.results() == before


def test_results_can_be_read_while_the_pass_waits_for_a_chunk(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([12])
    seen = []

    class Waiting(GivenChunks):
        def next(self, *, timeout_s):
            if self.items and len(self.items) == 2 and len(seen) < 12:
                with ResultsReader(work.files.final("t1") / "results.sqlite") as reader:
                    seen[:] = reader.frames().rows
                return None
            return super().next(timeout_s=timeout_s)

    assert work.run(Waiting(feed.items)).frames == FRAMES
    assert [row.seq for row in seen] == list(range(12))


def test_whoever_lost_the_lease_publishes_nothing(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)

    def lose(_):
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        work.run(work.chunks([9]), Pulse(at=FRAMES, then=lose))
    assert not work.files.results.exists()


def test_a_damaged_chunk_result_is_an_error_and_older_results_stay(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    work.run(work.chunks([9]))
    before = work.results()
    feed = work.chunks([9])
    feed.items[1].write_bytes(feed.items[1].read_bytes()[:-30])
    with pytest.raises(FormatError, match="damaged"):
        work.run(feed)
    assert work.results() == before


def test_a_new_attempt_replaces_older_results_and_removes_leftovers(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)
    feed = work.chunks([9])
    feed.items[1:] = [FeedEnd.CUT_SHORT]
    assert work.run(feed).partial
    (work.files.folder / "final.dead").mkdir()
    (work.files.folder / "final.dead" / "mot.txt.part").touch()
    work.run(work.chunks([9]))
    assert work.results() == inline(video, tmp_path / "inline", NO_DRAW)[0]
    assert {path.name for path in work.files.folder.iterdir()} == {"source", "chunks", "results"}
    names = {path.name for path in work.files.results.iterdir()}
    assert names == FILES | {"results.sqlite", "summary.json"}


def test_an_attempt_whose_folder_was_taken_away_publishes_nothing(video, tmp_path):
    work = Work(video, tmp_path / "job", NO_DRAW)

    def overtake(_):
        shutil.rmtree(work.files.final("t1"))

    with pytest.raises(OutputError):
        work.run(work.chunks([9]), Pulse(at=FRAMES, then=overtake))
    assert not work.files.results.exists()


def test_frames_that_cannot_be_decoded_again_are_losses(video, tmp_path):
    work = Work(video, tmp_path / "job", [BLOBS, stage("Brightness"), TRACK])
    feed = work.chunks([9])
    write_video(work.files.source.with_suffix(".mp4"), frames=30).replace(work.files.source)
    done = work.run(feed)
    assert done.frames == FRAMES
    assert work.summary()["frames"] == 30
    assert work.summary()["losses"]["corrupt_frames"] == 10
    assert "decoded a second time" in done.warnings[0]


@pytest.mark.parametrize("playable", [True, False])
def test_a_preview_is_made_if_the_video_needs_one(video, tmp_path, playable):
    work = Work(video, tmp_path / "job", NO_DRAW)
    work.video = VideoFacts(
        container="mov",
        codec="h264",
        width=160,
        height=120,
        frame_rate=25.0,
        duration_s=1.6,
        frames=FRAMES,
        size_bytes=1,
        sha256="",
        playable=playable,
    )
    work.run(work.chunks([9]))
    assert (work.files.results / "preview.mp4").exists() is not playable
    assert work.summary()["playback_starts_s"] == {"annotated": 0.0, "video": 0.0}


class CrashError(BaseException):
    """The machine stops here."""


class Fuse:
    """Counts calls, and crashes at one of them, before or after it has its effect."""

    def __init__(self, at, *, before):
        self.at = at
        self.before = before
        self.calls = 0

    def around(self, function):
        def called(*arguments, **options):
            self.calls += 1
            if self.calls == self.at and self.before:
                raise CrashError
            result = function(*arguments, **options)
            if self.calls == self.at:
                raise CrashError
            return result

        return called


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_crash_while_publishing_leaves_old_or_new_results(
    video, tmp_path, monkeypatch, exchanges, before
):
    work = Work(video, tmp_path / "job", NO_DRAW)
    if not exchanges:
        monkeypatch.setattr(publish, "_exchange", lambda *_: False)
    cut = work.chunks([9])
    cut.items[1:] = [FeedEnd.CUT_SHORT]
    work.run(cut)
    old, new = work.results(), inline(video, tmp_path / "inline", NO_DRAW)[0]
    crashes = 0
    for at in range(1, 40):
        fuse = Fuse(at, before=before)
        with monkeypatch.context() as patch:
            patch.setattr(publish, "_sync", fuse.around(publish._sync))
            patch.setattr(publish, "_exchange", fuse.around(publish._exchange))
            patch.setattr(publish.shutil, "rmtree", fuse.around(shutil.rmtree))
            try:
                work.run(work.chunks([9]))
            except CrashError:
                crashes += 1
                assert work.results() in (old, new)
            else:
                break
    assert crashes > len(FILES)
    assert work.results() == new
    assert {path.name for path in work.files.folder.iterdir()} == {"source", "chunks", "results"}


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.final_pass_case import NO_DRAW, Pulse, Work
from sightline.jobs import results_index

results_index._COMMIT_EVERY_S = 0
work = Work(Path(sys.argv[1]), Path(sys.argv[2]), NO_DRAW)
work.run(work.chunks([9]), Pulse(at=30, then=lambda _: os.kill(os.getpid(), signal.SIGKILL)))
"""


def test_an_attempt_after_one_that_was_killed_gives_the_same_results(video, tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(video), str(tmp_path / "job")], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    leftovers = tmp_path / "job" / "final.t1"
    assert (leftovers / "results.sqlite").exists()
    work = Work(video, tmp_path / "job", NO_DRAW)
    work.tokens = 1
    work.run(work.chunks([20]))
    assert work.results() == inline(video, tmp_path / "inline", NO_DRAW)[0]
    assert not leftovers.exists()
