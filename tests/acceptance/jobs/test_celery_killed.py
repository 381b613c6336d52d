"""A job service on RabbitMQ and PostgreSQL, whose workers and broker are killed.

RabbitMQ gives a message back at once when the worker dies that has not acknowledged it, while the
lease of the task lasts: whoever gets the message a second time must not do the task a second time.
"""

import os
import random
import signal
import time

import pytest
from tests.chaos_site import site_on, whole
from tests.graph_witness import is_dead
from tests.job_service import until

from sightline.jobs.states import TaskKind

SEED = 5
WITHIN_S = 1.0
KILLS = 2
"""Of processes: a task that was begun three times in vain fails, as it should."""


@pytest.fixture(scope="module")
def shared_site(_rabbitmq, postgres, street, tmp_path_factory):
    with site_on(_rabbitmq, postgres, street, tmp_path_factory) as site:
        yield site


@pytest.fixture
def site(shared_site):
    return whole(shared_site)


def test_a_broker_that_is_killed_keeps_its_messages(site, record_property):
    job_ids = site.hold(2, leases=4)
    site.broker.kill()
    job_ids += site.submit(1)
    site.broker.start()
    job_ids += site.submit(1)
    site.open()
    site.recover(job_ids, record_property)
    assert set(site.attempts(job_ids)) == {1}


def test_a_worker_and_processes_that_are_killed_at_random_moments(site, record_property):
    chance = random.Random(SEED)
    job_ids = site.hold(2, leases=4)
    killed, other = site.workers
    until(lambda: site.held_by(killed, job_ids) and site.held_by(other, job_ids))
    lost = {(task.job_id, task.number) for task in site.held_by(killed, job_ids)}
    killed.signal(signal.SIGKILL)
    killed.wait()
    site.worker()
    site.open()
    job_ids += site.submit(4, "slow")
    for _ in range(KILLS):
        until(lambda: site.leased(job_ids, TaskKind.CHUNK))
        time.sleep(chance.uniform(0.0, WITHIN_S))
        kill_a_process(site, chance)
    site.recover(job_ids, record_property)
    again = {
        (task.job_id, task.number): task.attempt
        for job_id in job_ids
        for task in site.store.tasks(job_id)
        if task.attempt > 1
    }
    assert lost <= again.keys()
    assert len(again) <= len(lost) + KILLS


def kill_a_process(site, chance):
    pid = chance.choice(chance.choice(site.living).processes)
    os.kill(pid, signal.SIGKILL)
    assert is_dead(pid)
