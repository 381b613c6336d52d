"""What every executor does; on the fake, and on the real ones."""

import time

import pytest
from tests.broker_fixtures import _rabbitmq, _redis, rabbitmq, redis
from tests.job_fixtures import service, street
from tests.job_service import detect_track, stage, until
from tests.worker_process import WorkerProcess

from sightline.broker.application import make_celery
from sightline.broker.executor import CeleryExecutor
from sightline.broker.options import BrokerOptions
from sightline.broker.wakeups import WakeUps
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.worker_board import WorkerBoard
from sightline.testing.executor import InlineExecutor

__all__ = ["_rabbitmq", "_redis", "rabbitmq", "redis", "service", "street"]


class Inline:
    """Runs the fake whenever a job is waited for."""

    def __init__(self, service, _):
        self.service = service
        self.place = service.open_workplace()
        self.executor = InlineExecutor(self.place)

    def settle(self, job_id):
        self.executor.run_until_idle()
        return self.service.store.get(job_id)

    def end(self):
        self.executor.close(drain_s=0.0)

    def close(self):
        self.end()
        self.place.close()


class Local:
    def __init__(self, service, _):
        self.service = service
        self.executor = service.executor(start=False)

    def settle(self, job_id):
        return self.service.wait(job_id)

    def end(self):
        self.executor.close(drain_s=0.0)

    close = end


class OverCelery:
    """The executor of a service, and a worker that somebody else has started."""

    def __init__(self, service, server):
        self.service = service
        application = make_celery(BrokerOptions(url=server.url))
        wakeups = WakeUps(application, service.store)
        self.executor = CeleryExecutor(wakeups, WorkerBoard(service.database))
        self.worker = WorkerProcess(service, server.url, "--concurrency", "2", "--drain-s", "0")

    def settle(self, job_id):
        return self.service.wait(job_id)

    def end(self):
        """End the worker first, and then the executor."""
        self.worker.end()
        self.executor.close(drain_s=10.0)

    def close(self):
        self.worker.kill()
        self.executor.close()


@pytest.fixture(
    params=[(Inline, None), (Local, None), (OverCelery, "redis"), (OverCelery, "rabbitmq")],
    ids=["inline", "local", "celery-redis", "celery-rabbitmq"],
)
def host(request, service):
    kind, server = request.param
    made = kind(service, server and request.getfixturevalue(server))
    yield made
    made.close()


def test_a_job_is_done_whether_it_came_before_or_after_the_start(host, service, street):
    video, mot = street
    before = service.submit(video)
    host.executor.start()
    after = service.submit(video)
    host.executor.wake([TaskKind.INGEST])
    for job_id in (before, after):
        assert host.settle(job_id).state is JobState.SUCCEEDED
        assert service.mot(job_id) == mot


def test_a_job_that_fails_says_why_and_leaves_the_next_alone(host, service, street):
    video, mot = street
    host.executor.start()
    bad = service.submit(video, detect_track(stage("Raises", at=30)))
    good = service.submit(video)
    job = host.settle(bad)
    assert (job.state, job.failure.code) == (JobState.FAILED, "stage-failed")
    assert host.settle(good).state is JobState.SUCCEEDED
    assert service.mot(good) == mot


def test_a_job_that_was_canceled_before_it_began_is_not_touched(host, service, street):
    job_id = service.submit(street[0])
    service.store.cancel(job_id, policy=service.policy, now_s=time.time())
    host.executor.start()
    other = service.submit(street[0])
    assert host.settle(other).state is JobState.SUCCEEDED
    assert not service.storage.job(job_id).folder.exists()


def test_there_are_workers_for_every_kind_of_task_until_it_is_closed(host):
    assert host.executor.workers() == ()
    host.executor.start()
    until(lambda: {k for w in host.executor.workers() for k in w.kinds} == set(TaskKind))
    host.end()
    assert host.executor.workers() == ()


def test_a_closed_executor_holds_no_lease_and_can_be_closed_and_woken_again(host, service, street):
    host.executor.start()
    job_id = service.submit(street[0])
    host.executor.wake([TaskKind.INGEST])
    host.end()
    host.executor.close(drain_s=0.0)
    host.executor.wake([TaskKind.INGEST])
    assert service.leases() == []
    assert not service.store.get(job_id).state.terminal or service.mot(job_id)


def test_an_executor_that_was_never_started_can_be_closed(host):
    host.executor.close(drain_s=0.0)
