"""Job services whose workers are processes of their own, on a real Redis."""

import time
from contextlib import ExitStack

import pytest
from tests.broker_fixtures import _rabbitmq, _redis, rabbitmq, redis
from tests.job_fixtures import service, street
from tests.worker_process import WorkerProcess

from sightline.broker.application import make_celery
from sightline.broker.executor import CeleryExecutor
from sightline.broker.options import BrokerOptions
from sightline.broker.wakeups import WakeUps
from sightline.jobs.worker_board import WorkerBoard

__all__ = ["_rabbitmq", "_redis", "rabbitmq", "redis", "service", "street"]


class Site:
    """A job service at a broker: its executor, and workers that are started when they are needed.

    Args:
        service: A `JobService`.
        server: The broker.
    """

    def __init__(self, service, server):
        self.service = service
        self.server = server
        self.application = make_celery(BrokerOptions(url=server.url))
        self.wakeups = WakeUps(self.application, service.store)
        self.board = WorkerBoard(service.database)
        self.executor = CeleryExecutor(self.wakeups, self.board)
        self._workers = []

    def worker(self, *options, concurrency=2, **more):
        """Start a worker, and wait until it takes tasks."""
        if concurrency is not None:
            options = (*options, "--concurrency", str(concurrency))
        self._workers.append(WorkerProcess(self.service, self.server.url, *options, **more))
        return self._workers[-1]

    def cards(self):
        return self.board.cards(time.time())

    def close(self):
        for worker in self._workers:
            worker.kill()
        self.executor.close()


@pytest.fixture
def site_at(service):
    """Makes the site at a broker; called once."""
    with ExitStack() as stack:

        def make(server):
            made = Site(service, server)
            stack.callback(made.close)
            made.executor.start()
            return made

        yield make


@pytest.fixture
def site(site_at, redis):
    return site_at(redis)
