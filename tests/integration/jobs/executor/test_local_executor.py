"""Worker processes do the jobs of a store."""

import os
import random
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.job_service import (
    DETECT_TRACK,
    PATIENCE_S,
    detect_track,
    stage,
    until,
    worker_processes,
)
from tests.job_stages import no_workplace, workplace_that_hangs_once
from tests.lengths import short_or_long

from sightline.fetch.policy import AddressPolicy
from sightline.jobs.crew_size import CrewSize
from sightline.jobs.executor import WorkerState
from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.store import LeasePolicy

PATIENT = LeasePolicy(max_attempts=1000, retry_delay_s=0.0)


def ready(executor):
    """Wait until every worker takes tasks; return them."""
    until(
        lambda: (
            executor.workers()
            and all(w.state is not WorkerState.STARTING for w in executor.workers())
        )
    )
    return executor.workers()


def descriptors():
    """Count what this process has open, but for the connections that the store keeps."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.exists()]
    return len([link for link in links if "jobs.sqlite" not in link.name])


def done_chunks(service, job_id):
    return [task for task in service.chunks(job_id) if task.state is TaskState.DONE]


def test_a_job_in_chunks_gives_the_same_tracks_as_the_inline_run(service, street):
    video, mot = street
    service.executor()
    job_id = service.submit(video)
    job = service.wait(job_id)
    assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
    assert len(service.chunks(job_id)) > 1
    assert service.mot(job_id) == mot


def test_workers_tell_when_they_are_ready(service):
    executor = service.executor(warm=DETECT_TRACK)
    workers = ready(executor)
    assert sorted(worker.kinds for worker in workers) == [
        ("chunk",),
        ("chunk",),
        ("final",),
        ("ingest",),
    ]
    assert len({worker.name for worker in workers}) == len({worker.pid for worker in workers}) == 4


def test_a_stage_that_raises_fails_its_job_with_the_reason(service, street):
    service.executor()
    job_id = service.submit(street[0], detect_track(stage("Raises", at=30)))
    job = service.wait(job_id)
    assert job.state is JobState.FAILED
    assert job.failure.code == "stage-failed"
    assert "I cannot do this one" in job.failure.message
    assert [task.attempt for task in service.chunks(job_id) if task.failure] == [1]


def test_a_frame_that_kills_its_worker_fails_its_job_alone(service, street):
    video, mot = street
    executor = service.executor()
    poisoned = service.submit(video, detect_track(stage("Kills", at=30)))
    others = [service.submit(video) for _ in range(2)]
    job = service.wait(poisoned)
    assert (job.state, job.failure.code) == (JobState.FAILED, "worker-lost")
    assert [t.attempt for t in service.chunks(poisoned) if t.failure] == [
        service.policy.max_attempts
    ]
    for other in others:
        assert service.wait(other).state is JobState.SUCCEEDED
        assert service.mot(other) == mot
    until(lambda: executor.restarts == service.policy.max_attempts)


def test_a_worker_that_hangs_is_killed_and_its_chunk_done_by_another(service, street, tmp_path):
    video, mot = street
    service.policy = PATIENT  # on a busy machine, workers that do not hang may be killed, too
    executor = service.executor(stall_s=5.0)
    job_id = service.submit(video, detect_track(stage("Hangs", at=30, flag=tmp_path / "has-hung")))
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == mot
    assert max(task.attempt for task in service.chunks(job_id)) > 1
    assert executor.restarts >= 1


@pytest.mark.parametrize("seed", range(short_or_long(1, 8)))
def test_workers_that_are_killed_at_random_cost_nothing_but_time(service, street, seed):
    video, mot = street
    chance = random.Random(seed)
    service.policy = PATIENT
    executor = service.executor()
    job_ids = [service.submit(video) for _ in range(3)]
    killed = 0
    until(lambda: service.store.count() < 3 or done_chunks(service, job_ids[0]))
    while service.store.count():
        pids = [worker.pid for worker in executor.workers() if worker.pid]
        if pids and killed < 12:
            with suppress(ProcessLookupError):  # it is dead, and not replaced yet
                os.kill(chance.choice(pids), signal.SIGKILL)
                killed += 1
        time.sleep(chance.uniform(0.0, 0.4))
    assert killed
    for job_id in job_ids:
        assert service.store.get(job_id).state is JobState.SUCCEEDED
        assert service.mot(job_id) == mot


def test_a_job_that_takes_too_much_memory_fails_alone_and_its_workers_stay(service, street):
    video, mot = street
    executor = service.executor(memory_bytes=2**30)
    greedy = service.submit(video, detect_track(stage("TakesMemory", at=30)))
    others = [service.submit(video) for _ in range(2)]
    job = service.wait(greedy)
    assert (job.state, job.failure.code) == (JobState.FAILED, "out-of-memory")
    for other in others:
        assert service.wait(other).state is JobState.SUCCEEDED
        assert service.mot(other) == mot
    assert executor.restarts == 0


def test_workers_have_a_memory_bound_by_default(service):
    workers = ready(service.executor())
    for worker in workers:
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
        assert re.search(r"Max data size +8589934592 ", limits)


def test_a_worker_that_hangs_at_its_start_is_killed_and_replaced(service, street, tmp_path):
    place = partial(workplace_that_hangs_once, tmp_path / "has-hung", service.open_workplace)
    executor = service.executor(open_workplace=place, start_s=10.0)
    job_id = service.submit(street[0])
    until(lambda: executor.restarts)
    ready(executor)
    assert service.wait(job_id).state is JobState.SUCCEEDED


def test_a_queued_job_is_canceled_at_once(service, street):
    job_id = service.submit(street[0])
    service.store.cancel(job_id, policy=service.policy, now_s=time.time())
    executor = service.executor()
    ready(executor)
    other = service.submit(street[0])
    assert service.wait(other).state is JobState.SUCCEEDED
    assert service.store.get(job_id).state is JobState.CANCELED
    assert service.store.get(job_id).started_at is None


def test_a_running_job_is_canceled_soon_and_keeps_what_is_finished(service, street):
    """The last chunk takes its time; the tracks of those before it are kept."""
    video, mot = street
    service.executor()
    job_id = service.submit(video, detect_track(stage("Slow", at=40, each_s=1.0)))
    until(lambda: service.store.get(job_id).progress.frames_final)
    asked_s = time.monotonic()
    service.store.cancel(job_id, policy=service.policy, now_s=time.time())
    job = service.wait(job_id)
    assert time.monotonic() - asked_s < 10  # meant to be 2 s; the rest of the chunk takes 20 s
    assert (job.state, job.partial) == (JobState.CANCELED, True)
    assert mot.startswith(service.mot(job_id))
    assert service.mot(job_id)
    assert service.leases() == []


def test_the_download_of_a_canceled_job_is_ended_by_itself_though_no_byte_comes(service):
    service.options["addresses"] = AddressPolicy(private=("127.0.0.0/8",), ports=None)
    executor = service.executor()
    with socket.create_server(("127.0.0.1", 0)) as server:
        job_id = service.submit(f"http://127.0.0.1:{server.getsockname()[1]}/street.mp4")
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(100))
            until(lambda: service.store.get(job_id).progress.bytes_done == 100)
            service.store.cancel(job_id, policy=service.policy, now_s=time.time())
            assert service.wait(job_id).state is JobState.CANCELED
    assert executor.restarts == 0
    assert not list(service.storage.job(job_id).folder.iterdir())


@pytest.mark.parametrize("before_track", [True, False], ids=["in a chunk", "in the final pass"])
def test_a_job_whose_stage_hangs_can_be_canceled(service, street, tmp_path, before_track):
    service.executor()
    gate = tmp_path / "never"
    hangs = stage("WaitsFor", gate=gate)
    definition = (
        detect_track(hangs) if before_track else {"stages": [*DETECT_TRACK["stages"], hangs]}
    )
    job_id = service.submit(street[0], definition)
    until(gate.with_suffix(".reached").exists)
    service.store.cancel(job_id, policy=service.policy, now_s=time.time())
    assert service.wait(job_id).state is JobState.CANCELED
    assert service.leases() == []
    other = service.submit(street[0])
    assert service.wait(other).state is JobState.SUCCEEDED


def test_a_retried_job_goes_on_with_its_finished_chunks(service, street, tmp_path):
    video, mot = street
    notes, flag = tmp_path / "notes", tmp_path / "has-raised"
    service.executor(detect=1)
    job_id = service.submit(
        video, detect_track(stage("Notes", path=notes), stage("Raises", at=45, flag=flag))
    )
    assert service.wait(job_id).state is JobState.FAILED
    finished = sum(task.frames_done for task in done_chunks(service, job_id))
    assert 0 < finished < 45
    before = notes.read_text().splitlines()
    service.store.retry(job_id, now_s=time.time())
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == mot
    again = [int(line.split()[0]) for line in notes.read_text().splitlines()[len(before) :]]
    assert again == list(range(finished, 60))


def test_a_retry_does_not_repeat_what_was_finished_before_a_worker_died(service, street, tmp_path):
    video, mot = street
    flag = tmp_path / "has-died"
    service.policy = replace(service.policy, max_attempts=1)
    service.executor(detect=1)
    job_id = service.submit(video, detect_track(stage("Kills", at=30, flag=flag)))
    assert service.wait(job_id).failure.code == "worker-lost"
    before = service.store.tasks(job_id)
    finished = [t for t in before if t.state is TaskState.DONE and t.kind is not TaskKind.FINAL]
    assert {task.kind for task in finished} == {TaskKind.INGEST, TaskKind.CHUNK}
    service.store.retry(job_id, now_s=time.time())
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == mot
    after = {(task.kind, task.number): task for task in service.store.tasks(job_id)}
    for task in finished:
        again = after[task.kind, task.number]
        assert (again.attempt, again.result) == (task.attempt, task.result) == (1, task.result)


def test_an_executor_that_is_closed_gives_back_what_it_cannot_finish(service, street):
    video, mot = street
    executor = service.executor()
    job_id = service.submit(video, detect_track(stage("Slow", at=0, each_s=0.2)))
    until(lambda: any(task.frames_done for task in service.chunks(job_id)))
    executor.close(drain_s=0.0)
    assert service.leases() == []
    assert service.store.get(job_id).state is JobState.RUNNING
    assert {task.attempt for task in service.chunks(job_id)} == {0}
    service.executor()
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == mot


def test_an_executor_that_is_closed_finishes_what_it_can(service, street, tmp_path):
    executor = service.executor(detect=1)
    gate = tmp_path / "gate"
    job_id = service.submit(street[0], detect_track(stage("WaitsFor", gate=gate)))
    until(gate.with_suffix(".reached").exists)
    gate.touch()
    executor.close(drain_s=60.0)
    assert len(done_chunks(service, job_id)) == 1
    assert service.leases() == []


def test_leases_of_a_former_life_are_given_back_at_the_start(service, street):
    job_id = service.submit(street[0])
    lease = service.store.claim(
        [TaskKind.INGEST], worker="local:before:ingest-1", policy=service.policy, now_s=time.time()
    )
    foreign_id = service.submit(street[0])
    foreign = service.store.claim(
        [TaskKind.INGEST], worker="elsewhere:1", policy=service.policy, now_s=time.time()
    )
    assert (lease.job.id, foreign.job.id) == (job_id, foreign_id)
    service.executor()
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.store.tasks(job_id)[0].attempt == 1
    assert [task.job_id for task in service.leases()] == [foreign_id]


def test_a_closed_executor_does_not_wait_for_chunks_that_will_not_come(service, street, tmp_path):
    """The chunk that is begun is finished and taken in; the one after it is not begun any more."""
    gate = tmp_path / "gate"
    executor = service.executor(detect=1)
    job_id = service.submit(street[0], detect_track(stage("WaitsFor", gate=gate, at=24)))
    until(gate.with_suffix(".reached").exists)
    until(lambda: service.store.tasks(job_id)[-1].frames_done == 24)
    assert len(worker_processes()) == 3
    closing = threading.Thread(target=executor.close, kwargs={"drain_s": 3 * PATIENCE_S})
    closing.start()
    until(lambda: len(worker_processes()) == 2)  # the one that had nothing to do has ended
    assert len(service.leases()) == 2
    gate.touch()
    until(lambda: not closing.is_alive())
    assert len(done_chunks(service, job_id)) == 2
    assert (service.leases(), service.store.tasks(job_id)[-1].attempt) == ([], 0)
    service.executor()
    assert service.wait(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == street[1]


def test_the_number_of_workers_follows_the_number_of_chunks(service, street, tmp_path):
    gate = tmp_path / "gate"
    executor = service.executor(detect=CrewSize(least=1, most=3))
    assert [worker.kinds for worker in ready(executor)].count((TaskKind.CHUNK,)) == 1
    job_id = service.submit(street[0], detect_track(stage("WaitsFor", gate=gate)))
    until(lambda: [w.kinds for w in executor.workers()].count((TaskKind.CHUNK,)) == 3)
    until(lambda: sum(t.state is TaskState.LEASED for t in service.chunks(job_id)) == 3)
    gate.touch()
    assert service.wait(job_id).state is JobState.SUCCEEDED


def test_workers_that_cannot_start_are_not_started_in_a_hurry(service):
    executor = service.executor(open_workplace=no_workplace)
    until(lambda: executor.restarts >= 3)
    before, since_s = executor.restarts, time.monotonic()
    until(lambda: time.monotonic() - since_s > 2)
    assert executor.restarts - before < 30


def test_a_closed_executor_leaves_no_descriptor_behind(service, street):
    first = service.executor()
    until(first.workers)  # the fork server was started, which stays
    first.close(drain_s=0.0)
    before = descriptors()
    executor = service.executor()
    job_id = service.submit(street[0])
    executor.wake([TaskKind.INGEST])
    service.wait(job_id)
    executor.close(drain_s=0.0)
    executor.close()
    executor.wake([TaskKind.INGEST])
    assert executor.workers() == ()
    assert descriptors() == before
