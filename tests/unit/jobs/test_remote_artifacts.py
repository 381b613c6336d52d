import errno
import os
import pickle
import time

import pytest
from tests.store_systems import FailingSystem, memory_url

from sightline.errors import SightlineError
from sightline.jobs.artifact_url import secrets_in, shown
from sightline.jobs.artifacts import ArtifactError, FolderArtifacts
from sightline.jobs.remote_artifacts import RemoteArtifacts, open_artifacts
from sightline.jobs.workplace import WorkOptions

AWAY = ConnectionError("no route to host")


@pytest.fixture(autouse=True)
def fresh():
    FailingSystem.reset()


@pytest.fixture
def make(tmp_path):
    def make(url=None, **options):
        return RemoteArtifacts(url or memory_url("failing"), tmp_path, **options)

    return make


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "jobs" / "a" / "source"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"video")
    return path


def asked(method):
    return sum(name == method for name, _ in FailingSystem.asked)


def test_without_a_url_files_are_where_they_are(tmp_path):
    assert isinstance(open_artifacts(None, tmp_path), FolderArtifacts)
    assert isinstance(open_artifacts(memory_url(), tmp_path), RemoteArtifacts)


def test_nothing_of_a_login_is_shown(tmp_path):
    url = "sftp://ann:top%2Fsecret@host.example:22/jobs?token=abc"
    assert shown(url) == "sftp://host.example:22/jobs"
    text = f"cannot open {url}: wrong password for ann:top%2Fsecret, token=abc"
    for secret in secrets_in(url):
        text = text.replace(secret, "***")
    assert "secret" not in text
    assert "abc" not in text
    assert "secret" not in repr(WorkOptions(artifacts_url=url))


def test_an_error_names_what_failed_and_why_without_what_is_secret(make, path):
    url = "failing://ann:secret@host/jobs"
    artifacts = make(url)
    FailingSystem.fail("put_file", OSError(f"{url} said:\n no"))
    with pytest.raises(ArtifactError) as caught:
        artifacts.put(path)
    assert str(caught.value) == "cannot put failing://host/jobs/jobs/a/source: *** said: no"
    assert isinstance(caught.value, SightlineError)
    assert isinstance(caught.value, OSError)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_full_store_and_a_full_disk_are_told_by_their_number(make, path, tmp_path):
    artifacts = make()
    FailingSystem.fail("put_file", OSError("QuotaExceeded: no more"))
    with pytest.raises(ArtifactError) as caught:
        artifacts.put(path)
    assert caught.value.errno == errno.ENOSPC
    FailingSystem.reset()
    artifacts.put(path)
    FailingSystem.fail("get_file", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(ArtifactError, match="No space left") as caught:
        artifacts.fetch(tmp_path / "jobs" / "a" / "copy", kept_as=path)
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "jobs" / "a" / "copy").exists()


def test_a_patient_one_asks_again_and_says_that_it_is_alive(make, path):
    FailingSystem.fail("put_file", AWAY, times=2)
    ticks = []
    make(patience_s=60.0).put(path, tick=lambda: ticks.append(time.monotonic()))
    assert asked("put_file") == 3
    assert len(ticks) > 10


def test_patience_does_not_help_against_a_refusal(make, path):
    FailingSystem.fail("put_file", PermissionError("Access Denied"))
    with pytest.raises(ArtifactError, match="Access Denied"):
        make(patience_s=1e9).put(path)
    assert asked("put_file") == 1


def test_a_store_that_was_away_is_not_asked_again_at_once(make, path):
    artifacts = make(pause_s=1e9)
    FailingSystem.fail("put_file", AWAY, times=1)
    for _ in range(3):
        with pytest.raises(ArtifactError, match="no route to host"):
            artifacts.put(path)
    assert asked("put_file") == 1
    eager = make(pause_s=0.0)
    FailingSystem.fail("put_file", AWAY, times=1)
    with pytest.raises(ArtifactError):
        eager.put(path)
    eager.put(path)


def test_a_file_that_comes_short_is_not_taken(make, path, tmp_path, monkeypatch):
    artifacts = make()
    artifacts.put(path)
    monkeypatch.setattr(
        FailingSystem, "info", lambda *_, **__: {"size": 7, "type": "file", "name": "x"}
    )
    with pytest.raises(ArtifactError, match="5 of 7 bytes came"):
        artifacts.fetch(tmp_path / "jobs" / "b" / "source", kept_as=path)
    assert not (tmp_path / "jobs" / "b" / "source").exists()


def test_a_file_that_is_replaced_while_it_is_fetched_is_not_taken(make, path, tmp_path):
    artifacts = make()
    artifacts.put(path)
    copy = tmp_path / "jobs" / "b" / "source"

    def replace():
        if asked("get_file"):
            path.write_bytes(b"other")
            artifacts.put(path)

    with pytest.raises(ArtifactError, match="was replaced meanwhile"):
        artifacts.fetch(copy, kept_as=path, tick=replace)
    assert not copy.exists()


def test_copies_have_the_time_of_what_was_put(make, path, tmp_path):
    artifacts = make()
    artifacts.put(path)
    copies = [tmp_path / "jobs" / name / "source" for name in "bc"]
    for copy in copies:
        assert artifacts.fetch(copy, kept_as=path)
    assert len({copy.stat().st_mtime_ns for copy in copies}) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_the_file_system_is_made_in_the_process_that_uses_it(make, path):
    artifacts = make()
    artifacts.put(path)
    used = artifacts._system()[0]
    child = os.fork()
    if not child:
        os._exit(0 if artifacts._system()[0] is not used else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert artifacts._system()[0] is used


def test_what_workers_are_given_can_be_sent_to_them():
    options = WorkOptions(artifacts_url="s3://bucket/jobs", cache_bytes=5)
    assert pickle.loads(pickle.dumps(options)) == options
