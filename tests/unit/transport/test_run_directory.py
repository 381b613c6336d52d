import fcntl
import os
import stat
from pathlib import Path

import pytest

from sightline.errors import GraphError
from sightline.settings import Settings
from sightline.transport.run_directory import RunDirectory, default_base, reap_dead_runs
from sightline.transport.segment import Segment


@pytest.fixture
def base(tmp_path):
    return tmp_path / "new" / "runs"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_run_has_a_folder_for_its_user_only(base):
    with RunDirectory.create(base) as run:
        assert run.path == base / run.run_id
        assert mode(run.path) == 0o700
        assert mode(base) == 0o700


def test_sockets_and_segments_carry_the_name_of_the_run(tmp_path):
    with RunDirectory.create(tmp_path / "r") as run:
        assert run.segment_prefix == f"sightline-{run.run_id}-"
        if len(str(run.path)) < 80:
            assert run.socket_path("hub") == f"{run.path}/hub"


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    with (
        RunDirectory.create(tmp_path / ("long" * 20)) as run,
        pytest.raises(GraphError, match="SIGHTLINE_RUNTIME_DIR"),
    ):
        run.socket_path("hub")


def test_closing_removes_sockets_segments_and_the_folder(base):
    run = RunDirectory.create(base)
    (run.path / "hub").touch()
    segment = Segment.create(f"{run.segment_prefix}a", slots=1, slot_bytes=1)

    run.close()
    run.close()

    assert list(base.iterdir()) == []
    assert not segment.is_there()


def test_runs_do_not_disturb_each_other(base):
    with RunDirectory.create(base) as first, RunDirectory.create(base) as second:
        segment = Segment.create(f"{first.segment_prefix}a", slots=1, slot_bytes=1)
        assert reap_dead_runs(base) == []
        second.close()

        assert first.path.is_dir()
        assert segment.is_there()


def test_a_run_whose_lock_is_free_is_reaped_and_other_folders_are_left_alone(base):
    with RunDirectory.create(base) as run:
        dead = base / "0123456789ab"
        dead.mkdir()
        (dead / "hub").touch()
        for other in ("mine", "0123456789AB", "0123456789abc"):
            (base / other).mkdir()
        (base / "ba9876543210").symlink_to(base / "mine")
        (base / "aaaaaaaaaaaa").touch()
        segment = Segment.create("sightline-0123456789ab-x", slots=1, slot_bytes=1)

        assert reap_dead_runs(base) == ["0123456789ab"]

        names = {"mine", "0123456789AB", "0123456789abc", "ba9876543210", "aaaaaaaaaaaa"}
        assert {path.name for path in base.iterdir()} == names | {run.run_id}
        assert not segment.is_there()


def test_a_new_run_removes_what_dead_runs_left(base):
    base.mkdir(mode=0o700, parents=True)
    (base / "0123456789ab").mkdir()

    with RunDirectory.create(base) as run:
        assert [path.name for path in base.iterdir()] == [run.run_id]


def test_a_new_folder_that_another_process_takes_for_a_dead_run_is_made_anew(base, monkeypatch):
    real = fcntl.flock

    def lock_too_late(descriptor, operation):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):  # no note of another run
            monkeypatch.undo()
            assert len(reap_dead_runs(base)) == 1
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_too_late)

    with RunDirectory.create(base) as run:
        assert [path.name for path in base.iterdir()] == [run.run_id]
        assert reap_dead_runs(base) == []


def test_a_base_that_is_open_to_others_is_refused(base):
    base.mkdir(parents=True)
    base.chmod(0o750)

    with pytest.raises(GraphError, match=r"open to others \(mode 750\).*chmod 700"):
        RunDirectory.create(base)


def test_a_base_that_is_a_link_is_refused(base, tmp_path):
    base.parent.mkdir()
    base.symlink_to(tmp_path)

    with pytest.raises(GraphError, match="is a link"):
        RunDirectory.create(base)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of other users")
def test_a_base_that_belongs_to_another_user_is_refused(base):
    base.mkdir(mode=0o700, parents=True)
    os.chown(base, 12345, 12345)

    with pytest.raises(GraphError, match="belongs to user 12345"):
        RunDirectory.create(base)


def test_a_base_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(GraphError, match="cannot be made"):
        RunDirectory.create(tmp_path / "file" / "runs")


def test_the_base_is_the_one_of_the_settings(base):
    assert default_base(Settings(runtime_dir=base)) == base
    assert mode(base) == 0o700


def test_no_descriptor_is_left_behind(base):
    before = descriptors()
    for _ in range(3):
        RunDirectory.create(base).close()
        with RunDirectory.create(base):
            reap_dead_runs(base)

    assert descriptors() == before
