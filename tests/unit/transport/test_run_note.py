import os
import secrets

import pytest

from sightline.errors import GraphError
from sightline.transport.run_directory import RunDirectory
from sightline.transport.run_note import RunNote, reap_stray_segments
from sightline.transport.segment import Segment, segment_folder


@pytest.fixture
def run_id():
    """The id of a run that nobody has; what is left of it is removed."""
    run_id = secrets.token_hex(6)
    yield run_id
    for path in segment_folder().glob(f"sightline*{run_id}*"):
        path.unlink()


def note_of(run_id):
    return segment_folder() / f"sightline-run-{run_id}"


def test_a_note_is_there_as_long_as_its_run(tmp_path):
    with RunDirectory.create(tmp_path / "r") as run:
        assert note_of(run.run_id).read_text() == str(run.path)
        assert note_of(run.run_id).stat().st_mode & 0o777 == 0o600

    assert not note_of(run.run_id).exists()


def test_a_note_that_is_locked_is_left_alone_though_the_folder_is_gone(tmp_path, run_id):
    note = RunNote.write(tmp_path / run_id)

    assert run_id not in reap_stray_segments()
    assert note_of(run_id).exists()

    note.remove()


@pytest.mark.parametrize("has_folder", [False, True])
def test_a_note_without_its_lock_is_removed_with_the_segments_of_its_run_alone(
    tmp_path, run_id, has_folder
):
    folder = tmp_path / "elsewhere" / run_id
    if has_folder:
        folder.mkdir(parents=True)
    with RunDirectory.create(tmp_path / "r") as other:
        kept = Segment.create(f"{other.segment_prefix}a", slots=1, slot_bytes=1)
        stray = Segment.create(f"sightline-{run_id}-a", slots=1, slot_bytes=1)
        note_of(run_id).write_text(str(folder))

        reap_stray_segments()  # unless a run that another test has begun did so this moment

        assert not stray.is_there()
        assert kept.is_there()
        assert not note_of(run_id).exists()
        assert folder.exists() == has_folder


@pytest.mark.parametrize("text", ["", "a/relative/{run_id}", "/another/folder"])
def test_a_note_that_does_not_name_the_folder_of_its_run_is_left_alone(run_id, text):
    note_of(run_id).write_text(text.format(run_id=run_id))

    assert run_id not in reap_stray_segments()
    assert note_of(run_id).exists()


def test_a_note_of_another_user_is_left_alone(tmp_path, run_id, monkeypatch):
    note_of(run_id).write_text(str(tmp_path / run_id))
    other = os.geteuid() + 1
    monkeypatch.setattr("os.geteuid", lambda: other)

    assert run_id not in reap_stray_segments()
    assert note_of(run_id).exists()


def test_what_only_looks_like_a_note_is_left_alone(run_id):
    os.mkfifo(note_of(run_id))

    assert run_id not in reap_stray_segments()
    assert note_of(run_id).exists()


def test_a_run_that_cannot_be_noted_leaves_no_folder(tmp_path, monkeypatch, run_id):
    monkeypatch.setattr("secrets.token_hex", lambda _: run_id)
    note_of(run_id).touch()

    with pytest.raises(GraphError, match="cannot be started"):
        RunDirectory.create(tmp_path / "r")

    assert list((tmp_path / "r").iterdir()) == []
