"""A process that stood still since it claimed a task, while another one took the task over."""

import time

import pytest

from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.work import do_task


@pytest.fixture
def place(service):
    with service.open_workplace() as place:
        yield place


def claim(service, kind, worker="late"):
    return service.store.claim([kind], worker=worker, policy=service.policy, now_s=time.time())


def take_over(service, kind):
    """Claim a task for one who then loses it, and for another one; return both leases."""
    late = claim(service, kind)
    service.store.forfeit(["late"], counted=False, policy=service.policy, now_s=time.time())
    return late, claim(service, kind, "other")


def test_a_late_ingest_removes_nothing_of_its_successor(service, street, place):
    job_id = service.submit(street[0])
    late, other = take_over(service, TaskKind.INGEST)
    files = service.storage.job(job_id)
    arriving = files.source.with_name(f"{files.source.name}.{other.token}")
    arriving.parent.mkdir(parents=True)
    arriving.touch()
    assert do_task(late, place) == frozenset()
    assert list(files.folder.iterdir()) == [arriving]
    assert do_task(other, place)
    assert service.store.get(job_id).video is not None


def test_a_late_final_pass_removes_nothing_of_its_successor(service, street, place):
    job_id = service.submit(street[0])
    do_task(claim(service, TaskKind.INGEST), place)
    while do_next_chunk(service, place):
        pass
    late, other = take_over(service, TaskKind.FINAL)
    growing = service.storage.job(job_id).final(other.token)
    growing.mkdir()
    assert do_task(late, place) == frozenset()
    assert growing.is_dir()
    do_task(other, place)
    assert service.store.get(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == street[1]


def do_next_chunk(service, place):
    """Do a chunk; False if none is left."""
    lease = claim(service, TaskKind.CHUNK)
    if lease is None:
        return False
    do_task(lease, place)
    return True
