"""What a run leaves that was killed, and who removes it."""

import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.transport.messages import Pixels, SlotRef
from sightline.transport.run_directory import RunDirectory, reap_dead_runs
from sightline.transport.run_note import reap_stray_segments
from sightline.transport.segment import segment_folder
from sightline.transport.slot_reader import SlotReader

OWNER = Path(__file__).with_name("run_owner.py")


@pytest.fixture
def base():
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        yield Path(folder, "runs")


@contextmanager
def owner(base):
    """Start a process that owns a run; give its process, the run's id, and the segment's name."""
    with subprocess.Popen(
        [sys.executable, OWNER, base], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, *process.stdout.readline().split()
        finally:
            process.kill()


def test_the_next_start_removes_what_a_killed_run_left(base):
    with owner(base) as (process, run_id, segment):
        assert (segment_folder() / segment).exists()
        process.kill()
        process.wait()

    assert (base / run_id / "hub").exists()

    with RunDirectory.create(base) as run:
        assert [path.name for path in base.iterdir()] == [run.run_id]
        assert not (segment_folder() / segment).exists()


def test_a_run_that_ends_by_itself_leaves_nothing(base):
    with owner(base) as (process, run_id, segment):
        process.communicate(timeout=60)

        assert process.returncode == 0
        assert list(base.iterdir()) == []
        assert not (segment_folder() / f"sightline-run-{run_id}").exists()
        assert not (segment_folder() / segment).exists()


def test_a_run_of_another_process_is_left_alone_as_long_as_it_lives(base):
    with owner(base) as (process, run_id, segment):
        assert reap_dead_runs(base) == []
        assert (base / run_id / "hub").exists()
        assert (segment_folder() / segment).exists()

        process.kill()
        process.wait()

        assert reap_dead_runs(base) == [run_id]
        assert reap_dead_runs(base) == []


def test_the_next_start_anywhere_removes_segments_of_a_killed_run_whose_folder_is_gone(base):
    with owner(base) as (process, run_id, segment):
        shutil.rmtree(base)
        reap_stray_segments()
        assert (segment_folder() / segment).exists(), "the run lives"

        process.kill()
        process.wait()
        with RunDirectory.create(base.parent / "others"):
            pass

        assert not (segment_folder() / segment).exists()
        assert not (segment_folder() / f"sightline-run-{run_id}").exists()


def test_the_next_start_elsewhere_removes_segments_of_a_killed_run_and_leaves_its_folder(base):
    with owner(base) as (process, run_id, segment):
        elsewhere = base.parent / "others"
        with RunDirectory.create(elsewhere):
            assert (segment_folder() / segment).exists(), "the run lives"

        process.kill()
        process.wait()
        with RunDirectory.create(elsewhere):
            assert not (segment_folder() / segment).exists()
            assert not (segment_folder() / f"sightline-run-{run_id}").exists()
            assert (base / run_id / "hub").exists()

        assert reap_dead_runs(base) == [run_id]


def test_pixels_of_a_killed_process_stay_readable_for_those_who_have_them(base):
    with owner(base) as (process, _, segment), SlotReader() as reader:
        borrowed = reader.borrow(Pixels((1000,), SlotRef(segment, 0, 1, 4096)))
        process.kill()
        process.wait()

        reap_dead_runs(base)

        assert (borrowed.copy() == 7).all()


def test_runs_that_start_at_the_same_moment_do_not_take_each_other_for_dead(base):
    together = threading.Barrier(8)
    lost = []

    def start_often():
        together.wait()
        for _ in range(20):
            with RunDirectory.create(base) as run:
                (run.path / "hub").touch()
                if not (run.path / "hub").exists():
                    lost.append(run.run_id)

    threads = [threading.Thread(target=start_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert lost == []
    assert list(base.iterdir()) == []
