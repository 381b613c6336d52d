"""What everything does that keeps files: a shared folder, a store in memory, and S3.

Two machines work on each: what one of them puts, the other one fetches.
"""

import os
import threading
from contextlib import closing, contextmanager

import pytest
from tests.s3_server import S3Server
from tests.store_systems import memory_url

from sightline.jobs.artifacts import ArtifactError, FolderArtifacts
from sightline.jobs.files import Storage
from sightline.jobs.remote_artifacts import RemoteArtifacts

MANY = os.urandom(1000) * 3000
"""More than is read at a time."""
MORE = os.urandom(1000) * 110_000
"""More than is put into S3 in one piece."""


@pytest.fixture(scope="module")
def s3_server():
    with closing(S3Server()) as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.bucket()}/some/prefix"


@contextmanager
def two_machines(request, kind, tmp_path):
    if kind == "folder":
        yield [Storage(tmp_path / "shared", FolderArtifacts())] * 2
        return
    if kind == "s3":
        url = request.getfixturevalue("s3")
    else:
        url = memory_url() if kind == "memory" else f"file://{tmp_path}/store"
    roots = [tmp_path / name for name in ("one", "two")]
    made = [Storage(root, RemoteArtifacts(url, root)) for root in roots]
    yield made
    for storage in made:
        storage.artifacts.close()


@pytest.fixture(params=["folder", "memory", "file", "s3"])
def machines(request, tmp_path):
    """Two machines of a service."""
    with two_machines(request, request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=["memory", "file", "s3"])
def remote(request, tmp_path):
    """Two machines of a service that have no folder in common."""
    with two_machines(request, request.param, tmp_path) as made:
        yield made


def write(path, content=b"content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def paths(artifacts, folder):
    return sorted(str(found.path.relative_to(folder)) for found in artifacts.find(folder))


def test_it_can_be_checked(machines):
    for storage in machines:
        storage.artifacts.check()


def test_a_check_leaves_nothing(s3_server, s3, tmp_path):
    with closing(RemoteArtifacts(s3, tmp_path)) as artifacts:
        artifacts.check()
    assert s3_server.keys(s3.split("/")[2]) == []


@pytest.mark.parametrize("content", [b"", b"content", MANY], ids=["empty", "small", "large"])
def test_what_one_machine_puts_the_other_one_fetches(machines, content):
    one, two = machines
    one.artifacts.put(write(one.job("a").source, content))
    place = two.job("a").source
    assert two.artifacts.fetch(place)
    assert place.read_bytes() == content
    assert two.artifacts.fetch(place, size_bytes=len(content))


def test_what_nobody_has_put_is_not_there(machines):
    one, two = machines
    one.artifacts.put(write(one.job("a").thumbnail))
    assert not two.artifacts.fetch(two.job("a").source)
    assert not two.artifacts.fetch(two.job("b").thumbnail)
    assert two.artifacts.version(two.job("b").thumbnail) is None
    assert not two.job("b").thumbnail.exists()


def test_another_version_has_another_name(machines):
    one, two = machines
    path = one.job("a").growing
    versions = []
    for content in (b"1", b"22", b"333"):
        write(path.with_name("copy"), content)
        one.artifacts.put(path.with_name("copy"), kept_as=path)
        versions.append(two.artifacts.version(two.job("a").growing))
    assert len({*versions, None}) == 4
    assert all(version.isalnum() for version in versions)


def test_files_are_listed_with_their_sizes_and_times(machines):
    one, two = machines
    files = one.job("a")
    for path in (files.chunk(0, "x"), files.chunk(1, "y"), files.source, one.job("ab").source):
        one.artifacts.put(write(path, b"12345"))
    assert paths(two.artifacts, two.job("a").folder) == ["chunks/0000.x", "chunks/0001.y", "source"]
    found = two.artifacts.find(two.job("a").folder)
    assert {file.size_bytes for file in found} == {5}
    assert all(file.modified_s > 1e9 for file in found)
    assert sorted(two.artifacts.folders(two.root / "jobs")) == ["a", "ab"]
    assert two.artifacts.find(two.job("b").folder) == two.artifacts.folders(two.root / "no") == []


def test_what_is_removed_is_gone_for_all_and_nothing_else_is(machines):
    one, two = machines
    for job_id in ("a", "ab"):
        for path in (one.job(job_id).source, one.job(job_id).chunk(0, "x")):
            one.artifacts.put(write(path))
    two.artifacts.fetch(two.job("a").source)
    two.artifacts.remove(two.job("a").chunk(0, "x"))
    assert paths(one.artifacts, one.job("a").folder) == ["source"]
    two.artifacts.remove(two.job("a").folder)
    two.artifacts.remove(two.job("a").folder)
    assert one.artifacts.find(one.job("a").folder) == []
    assert not two.job("a").folder.exists()
    assert paths(one.artifacts, one.job("ab").folder) == ["chunks/0000.x", "source"]


def test_a_job_is_used_by_several_and_the_file_of_one_is_fetched_for_all(machines):
    one, two = machines
    one.artifacts.put(write(one.job("a").source, MANY))
    done = []

    def fetch():
        with two.artifacts.using("a"):
            done.append(two.artifacts.fetch(two.job("a").source))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 4
    assert two.job("a").source.read_bytes() == MANY


class StopError(Exception):
    pass


class StopsAt:
    """Stops a transfer when it is called for the so manieth time."""

    def __init__(self, number):
        self.left = number

    def __call__(self):
        self.left -= 1
        if self.left <= 0:
            raise StopError


@pytest.mark.parametrize("number", [1, 3])
def test_a_transfer_can_be_stopped_and_leaves_nothing_half_done(remote, number):
    one, two = remote
    one.artifacts.put(write(one.job("a").source, MANY))
    with pytest.raises(StopError):
        two.artifacts.fetch(two.job("a").source, tick=StopsAt(number))
    assert not two.job("a").source.exists()
    with pytest.raises(StopError):
        one.artifacts.put(write(one.job("b").source, MANY), tick=StopsAt(1))
    assert two.artifacts.find(two.job("b").folder) == []


def test_what_is_put_in_many_pieces_is_whole_or_not_there(s3, tmp_path):
    one, two = (RemoteArtifacts(s3, tmp_path / name) for name in ("one", "two"))
    source = write(tmp_path / "one" / "jobs" / "a" / "source", MORE)
    place = tmp_path / "two" / "jobs" / "a" / "source"
    with closing(one), closing(two):
        with pytest.raises(StopError):
            one.put(source, tick=StopsAt(2))
        assert not two.fetch(place)
        one.put(source)
        assert two.fetch(place)
    assert place.read_bytes() == MORE


def test_a_file_of_another_size_is_not_the_one(remote):
    one, two = remote
    one.artifacts.put(write(one.job("a").source, b"12345"))
    stale = write(two.job("a").source, b"of an attempt that was killed")
    assert two.artifacts.fetch(stale, size_bytes=5)
    assert stale.read_bytes() == b"12345"
    with pytest.raises(ArtifactError, match="has 5 bytes, not 6"):
        two.artifacts.fetch(stale, size_bytes=6)


def test_no_path_outside_of_the_data_folder_is_touched(remote, tmp_path):
    one, _ = remote
    outside = write(tmp_path / "outside")
    for path in (outside, one.root, one.root / "jobs" / ".." / ".." / "outside"):
        with pytest.raises(ValueError, match=r"outside|data folder|subpath"):
            one.artifacts.remove(path)
    assert outside.exists()
