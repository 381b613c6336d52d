"""Tasks that take longer than a broker waits for messages to be acknowledged."""

import time
import urllib.error
import urllib.request

import pytest
from celery import Celery
from tests.broker_servers import RabbitServer, is_there
from tests.job_service import detect_track, stage, until
from tests.lengths import long_only, variants

from sightline.jobs.states import JobState, Queue, TaskState
from sightline.jobs.store import JobQuery

TAKES_BACK_S = 6.0
HASTY = {"program": "tests.hasty_worker", "concurrency": 1}


@pytest.fixture(scope="module")
def impatient(missing, tmp_path_factory):
    """A RabbitMQ that waits for seconds, not for half an hour."""
    if not is_there(RabbitServer):
        missing(f"the Debian package {RabbitServer.package}")
    folder = tmp_path_factory.mktemp("impatient")
    with RabbitServer(folder, takes_back_s=TAKES_BACK_S) as server:
        yield server


@pytest.fixture
def site(site_at, request):
    server = request.getfixturevalue(getattr(request, "param", "impatient"))
    server.empty()
    return site_at(server)


def hold(site, video, gate):
    """Have a worker with one process, and a chunk of a job that goes on until the gate opens."""
    worker = site.worker(**HASTY)
    job_id = site.service.submit(video, detect_track(stage("WaitsFor", gate=gate)))
    until(gate.with_suffix(".reached").exists)
    return worker, job_id


def is_leaving(worker):
    try:
        urllib.request.urlopen(f"{worker.health}/readyz", timeout=30).close()
    except urllib.error.HTTPError as error:
        with error:
            return b"told to end" in error.read()
    return False


def test_a_task_may_take_longer_than_the_broker_waits_and_messages_behind_it_too(
    site, street, tmp_path
):
    gate = tmp_path / "gate"
    worker, long = hold(site, street[0], gate)
    other = site.service.submit(street[0])
    until_s = time.monotonic() + 2 * TAKES_BACK_S
    until(lambda: time.monotonic() > until_s)
    gate.touch()
    for job_id in (long, other):
        job = site.service.wait(job_id)
        assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
        assert site.service.mot(job_id) == street[1]
        assert {task.attempt for task in site.service.store.tasks(job_id)} == {1}
    assert "PRECONDITION_FAILED" not in worker.said()
    assert worker.end() == 0


@pytest.mark.parametrize("site", variants("impatient", "redis"), indirect=True)
def test_a_busy_worker_gives_a_submission_back_for_another_one(site, street, tmp_path):
    gate = tmp_path / "gate"
    hold(site, street[0], gate)
    with Celery(broker=site.server.url, set_as_current=False) as stranger:
        message = stranger.send_task("sightline.process", args=["https://example.org/a.mp4"])
        site.worker("--queues", "ingest", concurrency=1)
        until(lambda: site.service.store.list(JobQuery(labels={"celery_task_id": message.id})))
        gate.touch()


@long_only
def test_what_waits_in_a_worker_that_ends_is_not_begun(site, street, tmp_path):
    gate = tmp_path / "gate"
    worker, job_id = hold(site, street[0], gate)
    other = site.service.submit(street[0])
    site.wakeups.send(Queue.INGEST, 20)
    until(lambda: site.wakeups.waiting()[Queue.INGEST] < 20)
    worker.signal()
    until(lambda: is_leaving(worker))
    gate.touch()
    assert worker.wait() == 0
    done = [task.state for task in site.service.chunks(job_id)]
    assert done.count(TaskState.DONE) == 1
    assert site.service.store.get(other).state is JobState.QUEUED
