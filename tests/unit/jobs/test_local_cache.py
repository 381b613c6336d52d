import multiprocessing
import os
import shutil
import threading

import pytest
from tests.graph_witness import until

from sightline.jobs.local_cache import LocalCache

ROOM = 100_000
PLENTY = 10**9
SIZE = 40_960


def fill(root, job_id, used_s=None, size=SIZE):
    """Make the files of a job, used at that time for the last time."""
    path = root / "jobs" / job_id / "chunks" / "0000.a"
    path.parent.mkdir(parents=True)
    path.write_bytes(os.urandom(size))
    if used_s is not None:
        lock = root / "locks" / job_id
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
        os.utime(lock, (used_s, used_s))
    return path


def jobs(root):
    return {path.name for path in (root / "jobs").iterdir()}


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path):
    for number, job_id in enumerate(["c", "a", "b", "d"]):
        fill(tmp_path, job_id, used_s=1000 + number)
    LocalCache(tmp_path, most_bytes=ROOM).trim()
    assert jobs(tmp_path) == {"b", "d"}
    assert {path.name for path in (tmp_path / "locks").iterdir()} == {"b", "d"}


def test_a_cache_within_its_room_is_left_alone(tmp_path):
    for job_id in "ab":
        fill(tmp_path, job_id, used_s=1000)
    LocalCache(tmp_path, most_bytes=ROOM).trim()
    assert jobs(tmp_path) == {"a", "b"}


def test_what_is_in_use_stays_even_if_it_is_too_much(tmp_path):
    cache, other = (LocalCache(tmp_path, most_bytes=0) for _ in range(2))
    for job_id in "ab":
        fill(tmp_path, job_id, used_s=1000)
    with cache.using("a"), other.using("a"):
        other.trim()
        assert jobs(tmp_path) == {"a"}
    LocalCache(tmp_path, most_bytes=0).trim()
    assert jobs(tmp_path) == set()


def test_a_job_that_is_used_counts_as_used_now(tmp_path):
    for number, job_id in enumerate("abc"):
        fill(tmp_path, job_id, used_s=1000 + number)
    cache = LocalCache(tmp_path, most_bytes=ROOM)
    with cache.using("a"):
        pass
    cache.trim()
    assert jobs(tmp_path) == {"a", "c"}


def locks(root):
    return {path.name for path in (root / "locks").iterdir()}


def test_locks_of_jobs_whose_files_were_removed_go_and_others_stay(tmp_path):
    cache = LocalCache(tmp_path, most_bytes=ROOM)
    for job_id in "abc":
        with cache.using(job_id):
            fill(tmp_path, job_id, size=1)
    for job_id in "ab":
        shutil.rmtree(tmp_path / "jobs" / job_id)
    with cache.using("b"), cache.using("new"):
        cache.trim()
        assert locks(tmp_path) == {"b", "c", "new"}


def trim_until(root, ended):
    while not ended.is_set():
        LocalCache(root, most_bytes=PLENTY).trim()


@pytest.fixture
def trimming(tmp_path):
    """Another process that looks through the copies all the time."""
    context = multiprocessing.get_context("forkserver")
    ended = context.Event()
    process = context.Process(target=trim_until, args=(tmp_path, ended))
    process.start()
    yield
    ended.set()
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.usefixtures("trimming")
def test_files_that_are_made_and_removed_while_locks_are_looked_through_are_nobodys_loss(tmp_path):
    cache = LocalCache(tmp_path, most_bytes=PLENTY)
    for _ in range(100):
        with cache.using("a"):
            pass
        with cache.using("a"):
            made = fill(tmp_path, "a", size=1)
            for number in range(30):
                (made.parent / str(number)).mkdir()
        assert made.exists()
        shutil.rmtree(tmp_path / "jobs" / "a")
    until(lambda: locks(tmp_path) == set(), 60)


def test_a_cache_without_any_file_can_be_trimmed(tmp_path):
    LocalCache(tmp_path, most_bytes=0).trim()
    with pytest.raises(ValueError, match="-1"):
        LocalCache(tmp_path, most_bytes=-1)


def fetch(root, name, place, begun, go_on):
    """Fetch a file, unless it is there; note that it was fetched."""
    cache = LocalCache(root, most_bytes=ROOM)
    with cache.fetching(name, tick=lambda: None) as part:
        if place.exists():
            return
        with (root / "log").open("a") as log:
            log.write("fetched\n")
        part.write_bytes(b"half")
        begun.set()
        go_on.wait(60)
        part.write_bytes(b"whole")
        part.replace(place)


def test_processes_of_a_machine_fetch_a_file_once_and_see_it_whole(tmp_path):
    context = multiprocessing.get_context("forkserver")
    begun, go_on = context.Event(), context.Event()
    place = tmp_path / "place"
    given = (tmp_path, "jobs/a/source", place, begun, go_on)
    processes = [context.Process(target=fetch, args=given) for _ in range(3)]
    for process in processes:
        process.start()
    assert begun.wait(60)
    assert not place.exists()
    go_on.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 3
    assert place.read_bytes() == b"whole"
    assert (tmp_path / "log").read_text() == "fetched\n"
    assert list((tmp_path / "fetching").iterdir()) == []


def test_who_waits_for_another_fetch_can_be_stopped(tmp_path):
    cache = LocalCache(tmp_path, most_bytes=ROOM)

    class StopError(Exception):
        pass

    def stop():
        raise StopError

    with (
        cache.fetching("a", tick=stop),
        pytest.raises(StopError),
        cache.fetching("a", tick=stop),
    ):
        pass


def test_a_fetch_that_fails_leaves_nothing_and_the_next_one_goes_on(tmp_path):
    cache = LocalCache(tmp_path, most_bytes=ROOM)
    with cache.fetching("a", tick=int) as part:
        part.write_bytes(b"half")
    assert not part.exists()
    done = threading.Event()

    def again():
        with cache.fetching("a", tick=int):
            done.set()

    threading.Thread(target=again).start()
    assert done.wait(60)


def test_what_a_killed_process_was_fetching_goes_when_it_is_old(tmp_path):
    folder = tmp_path / "fetching"
    folder.mkdir()
    for name in ("old", "new", "locked"):
        (folder / name).touch()
        if name != "new":
            os.utime(folder / name, (1000, 1000))
    cache = LocalCache(tmp_path, most_bytes=ROOM)
    with cache.fetching("locked", tick=int):
        until(lambda: cache.trim() or not (folder / "old").exists(), 60)
        assert {path.name for path in folder.iterdir()} == {"new", "locked"}
