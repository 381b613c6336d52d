"""A job service on Redis and PostgreSQL, of which everything is killed, frozen and cut off.

Whatever breaks, jobs that were accepted before and meanwhile succeed, with the results of the
inline run, byte for byte, and each of their tasks has counted once.
"""

import time
from itertools import chain

import pytest
from tests.chaos_site import site_on, whole
from tests.job_service import until

from sightline.jobs.states import Queue

LONGER_THAN_SOCKETS_WAIT_S = 35


@pytest.fixture(scope="module")
def shared_site(_redis, postgres, street, tmp_path_factory):
    with site_on(_redis, postgres, street, tmp_path_factory) as site:
        yield site


@pytest.fixture
def site(shared_site):
    return whole(shared_site)


def test_a_broker_that_is_killed_and_forgets_everything(site, record_property):
    job_ids = site.hold(2, leases=4)
    site.broker.kill()
    job_ids += site.submit(2)
    site.open()
    site.broker.start()
    site.recover(job_ids, record_property)
    assert set(site.attempts(job_ids)) == {1}


def test_messages_that_come_many_times(site, record_property):
    for queue in Queue:
        site.wakeups.send(queue, 30)
    job_ids = site.submit(3, "slow")
    for queue in Queue:
        site.wakeups.send(queue, 30)
    site.recover(job_ids, record_property)
    assert set(site.attempts(job_ids)) == {1}


def test_a_database_that_ends_its_connections_and_one_that_is_killed(
    site, postgres, record_property
):
    job_ids = site.hold(2, leases=4)
    with site.database.read() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    with postgres.connect(name) as connection:
        assert postgres.end_backends(connection) > 4
    job_ids += site.submit(1)
    postgres.kill()
    postgres.start()
    job_ids += site.submit(1)
    site.open()
    site.recover(job_ids, record_property)


def test_an_interface_that_is_killed_while_workers_go_on(site, record_property):
    job_ids = site.hold(2, leases=4)
    site.serve.kill()
    site.open()
    site.wait(job_ids)
    site.serve.start()
    site.recover(job_ids + site.submit(1), record_property)
    assert set(site.attempts(job_ids)) == {1}


def test_a_worker_and_the_broker_are_frozen_for_longer_than_anybody_waits_for_them(
    site, record_property
):
    job_ids = site.hold(2, leases=4)
    late, other = site.workers
    until(lambda: site.held_by(late, job_ids) and site.held_by(other, job_ids))
    held = {(task.job_id, task.number) for task in site.held_by(late, job_ids)}
    until_s = time.monotonic() + LONGER_THAN_SOCKETS_WAIT_S
    late.freeze()
    site.broker.freeze()
    job_ids += site.submit(1)
    until(lambda: not site.held_by(late, job_ids) and time.monotonic() > until_s)
    site.broker.thaw()
    site.open()
    site.recover(job_ids, record_property)

    before = rows_and_results(site, job_ids)
    late.thaw()
    until(lambda: not site.stray_chunks(job_ids))
    other.end()
    site.recover(site.submit(1), record_property)
    assert rows_and_results(site, job_ids) == before
    tasks = chain.from_iterable(site.store.tasks(job_id) for job_id in job_ids)
    again = {(task.job_id, task.number) for task in tasks if task.attempt > 1}
    assert again == {place for place in held if place[0] in job_ids}


def rows_and_results(site, job_ids):
    """Give all that there is of jobs: rows, and which files their results are."""
    files = [p for i in job_ids for p in site.storage.job(i).results.iterdir()]
    return (
        [site.store.get(job_id) for job_id in job_ids],
        [site.store.tasks(job_id) for job_id in job_ids],
        {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files},
    )
