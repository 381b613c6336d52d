"""Workers as processes: what they serve, how they end, and what becomes of their work."""

import json
import signal
import urllib.error
import urllib.request

from tests.graph_witness import is_dead
from tests.job_service import detect_track, stage, until

from sightline.jobs.states import JobState, Priority, Queue, TaskState


def asked(worker, path):
    """Ask a worker for its health; give the status and what it says."""
    try:
        with urllib.request.urlopen(worker.health + path, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def attempts(service, job_id):
    return [task.attempt for task in service.store.tasks(job_id)]


def test_one_process_does_a_whole_job_for_its_final_pass_does_chunks_that_nobody_begins(
    site, street
):
    site.worker(concurrency=1)
    job_id = site.service.submit(street[0])
    job = site.service.wait(job_id)
    assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
    assert len(site.service.chunks(job_id)) > 1
    assert site.service.mot(job_id) == street[1]
    assert set(attempts(site.service, job_id)) == {1}


def test_workers_serve_their_queues_only(site, street):
    site.worker("--queues", "ingest,finalize", concurrency=1)
    job_id = site.service.submit(street[0])
    until(lambda: site.service.store.get(job_id).video is not None)
    urgent = site.service.submit(street[0], priority=Priority.INTERACTIVE)
    site.worker("--queues", "interactive", concurrency=1)
    assert site.service.wait(urgent).state is JobState.SUCCEEDED
    assert {task.state for task in site.service.chunks(job_id)} == {TaskState.READY}
    site.worker("--queues", "detect", concurrency=1)
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == site.service.mot(urgent) == street[1]
    queues = {tuple(card.queues) for card in site.cards()}
    assert queues == {(Queue.INGEST, Queue.FINALIZE), (Queue.INTERACTIVE,), (Queue.DETECT,)}


def test_a_worker_that_is_ended_finishes_its_chunk(site, street, tmp_path):
    gate = tmp_path / "gate"
    worker = site.worker("--queues", "ingest,detect", concurrency=1)
    job_id = site.service.submit(street[0], detect_track(stage("WaitsFor", gate=gate)))
    until(gate.with_suffix(".reached").exists)
    worker.signal()
    until(lambda: asked(worker, "/readyz")[0] == 503)
    assert asked(worker, "/livez")[0] == 200
    gate.touch()
    assert worker.wait() == 0
    done = [task.state for task in site.service.chunks(job_id)]
    assert done.count(TaskState.DONE) == 1
    assert (site.service.leases(), site.cards()) == ([], ())
    site.worker()
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == street[1]
    assert set(attempts(site.service, job_id)) == {1}


def test_what_does_not_end_in_time_is_given_back_and_is_no_attempt(site, street):
    slow = detect_track(stage("Slow", at=20, each_s=0.2))
    worker = site.worker("--drain-s", "0")
    job_id = site.service.submit(street[0], slow)
    until(lambda: len(site.service.leases()) == 2)
    assert worker.end() == 0
    assert site.service.leases() == []
    assert max(attempts(site.service, job_id)) <= 1
    site.worker()
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == street[1]
    assert set(attempts(site.service, job_id)) == {1}


def test_workers_may_be_replaced_while_jobs_run(site, street, tmp_path):
    gate = tmp_path / "gate"
    waiting = detect_track(stage("WaitsFor", gate=gate, at=20))
    old = [site.worker(concurrency=1), site.worker(concurrency=1)]
    job_ids = [site.service.submit(street[0], waiting) for _ in range(3)]
    until(lambda: len(site.service.leases()) == 2 and gate.with_suffix(".reached").exists())
    for worker in old:
        worker.signal()
    site.worker()
    gate.touch()
    assert [worker.wait() for worker in old] == [0, 0]
    for job_id in job_ids:
        assert site.service.wait(job_id).state is JobState.SUCCEEDED
        assert site.service.mot(job_id) == street[1]
        assert set(attempts(site.service, job_id)) == {1}


def test_a_process_that_is_killed_loses_its_task_at_once_and_is_replaced(site, street, tmp_path):
    flag = tmp_path / "killed"
    worker = site.worker()
    job_id = site.service.submit(street[0], detect_track(stage("Kills", at=30, flag=flag)))
    job = site.service.wait(job_id)
    assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
    assert site.service.mot(job_id) == street[1]
    assert max(attempts(site.service, job_id)) == 2
    until(lambda: site.executor.restarts == 1)
    until(lambda: len(worker.processes) == 2)


def test_a_frame_that_kills_its_process_fails_its_job_alone(site, street):
    site.worker()
    bad = site.service.submit(street[0], detect_track(stage("Kills", at=30)))
    good = site.service.submit(street[0])
    job = site.service.wait(bad)
    assert (job.state, job.failure.code) == (JobState.FAILED, "worker-lost")
    assert site.service.wait(good).state is JobState.SUCCEEDED
    assert site.service.mot(good) == street[1]


def test_the_processes_of_a_killed_worker_die_with_it(site, street, tmp_path):
    gate = tmp_path / "gate"
    worker = site.worker()
    job_id = site.service.submit(street[0], detect_track(stage("WaitsFor", gate=gate)))
    until(gate.with_suffix(".reached").exists)
    processes = worker.processes
    worker.signal(signal.SIGKILL)
    worker.wait()
    until(lambda: all(is_dead(pid, 0) for pid in processes))
    gate.touch()
    site.worker()  # the leases of the dead end by themselves
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == street[1]


def test_a_canceled_job_ends_soon_and_its_worker_goes_on(site, street):
    site.worker()
    job_id = site.service.submit(street[0], detect_track(stage("Slow", at=0, each_s=0.5)))
    until(lambda: any(task.frames_done for task in site.service.chunks(job_id)))
    site.service.cancel(job_id)
    assert site.service.wait(job_id).state is JobState.CANCELED
    other = site.service.submit(street[0])
    assert site.service.wait(other).state is JobState.SUCCEEDED


def test_the_number_of_processes_follows_the_work(site, street, tmp_path):
    gate = tmp_path / "gate"
    worker = site.worker("--autoscale", "3,1", concurrency=None)
    assert len(worker.processes) == 1
    waiting = detect_track(stage("WaitsFor", gate=gate))
    job_ids = [site.service.submit(street[0], waiting) for _ in range(2)]
    until(lambda: len(worker.processes) == 3)
    until(lambda: len(site.service.leases()) == 3)
    gate.touch()
    for job_id in job_ids:
        assert site.service.wait(job_id).state is JobState.SUCCEEDED
        assert site.service.mot(job_id) == street[1]


def test_a_worker_tells_how_it_is_and_outlives_its_broker(site, street):
    worker = site.worker()
    until(lambda: asked(worker, "/readyz")[0] == 200)
    assert asked(worker, "/livez") == (200, {"status": "ok", "reasons": []})
    site.server.kill()
    until(lambda: asked(worker, "/readyz")[0] == 503)
    assert asked(worker, "/readyz")[1]["reasons"] == ["there is no connection to the broker"]
    assert asked(worker, "/livez")[0] == 200
    job_id = site.service.submit(street[0])
    until(lambda: not site.executor.broker_is_up)
    site.server.start()
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == street[1]
    until(lambda: site.executor.broker_is_up and asked(worker, "/readyz")[0] == 200)


def test_a_message_that_comes_in_vain_harms_nothing(site, street):
    worker = site.worker()
    for queue in Queue:
        site.wakeups.send(queue, 20)
    job_id = site.service.submit(street[0])
    for queue in Queue:
        site.wakeups.send(queue, 20)
    assert site.service.wait(job_id).state is JobState.SUCCEEDED
    assert site.service.mot(job_id) == street[1]
    assert set(attempts(site.service, job_id)) == {1}
    until(lambda: not any(site.wakeups.waiting().values()))
    assert asked(worker, "/livez")[0] == 200


def test_messages_that_are_lost_are_sent_again(site, street):
    site.worker()
    job_ids = [site.service.submit(street[0]) for _ in range(3)]
    for job_id in job_ids:
        site.server.empty()
        assert site.service.wait(job_id).state is JobState.SUCCEEDED
        assert site.service.mot(job_id) == street[1]
