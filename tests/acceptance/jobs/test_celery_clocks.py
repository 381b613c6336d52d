"""Workers whose clocks are hours wrong: leases go by the clock of the database."""

import os
import sys
from pathlib import Path

import pytest
from tests.chaos_site import ChaosSite
from tests.job_service import until

from sightline.jobs.states import TaskKind
from sightline.jobs.store import LeasePolicy

ROOT = Path(__file__).parents[3]
HOUR_S = 3600


def shifted(by_s):
    """Give the environment of a process whose wall clock is wrong by so many seconds."""
    folders = [str(ROOT / "tests" / "shifted_clock"), str(ROOT), *sys.path]
    return {"SHIFTED_CLOCK_S": str(by_s), "PYTHONPATH": os.pathsep.join(folders)}


@pytest.fixture
def site(redis, postgres, street, tmp_path):
    with (
        postgres.database() as name,
        ChaosSite(tmp_path, street, broker=redis, database_url=postgres.url(name)) as site,
    ):
        yield site


def test_clocks_that_are_hours_ahead_or_behind_cost_no_attempt(site, record_property):
    behind = site.worker(environment=shifted(-2 * HOUR_S))
    right = site.worker()
    job_ids = site.hold(2, leases=4)
    ahead = site.worker(environment=shifted(2 * HOUR_S))  # which begins with a sweep
    until(lambda: len(site.leased(job_ids, TaskKind.CHUNK)) == 6)
    assert [len(site.held_by(worker, job_ids)) for worker in (behind, right, ahead)] == [2, 2, 2]
    swept = site.store.sweep(policy=LeasePolicy(), now_s=site.database.clock())
    assert (swept.requeued, swept.failed) == (0, 0)
    assert len(site.cards()) == 3
    site.open()
    site.recover(job_ids, record_property)
    assert set(site.attempts(job_ids)) == {1}
    for job_id in job_ids:
        job = site.store.get(job_id)
        assert 0 <= job.finished_at - job.created_at < HOUR_S
