"""A job, once accepted, comes to its end whatever is killed: here, everything at once."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
from tests.graph_witness import children_of, is_dead
from tests.job_service import until
from tests.lengths import short_or_long

from sightline.jobs.states import JobState

JOBS = 3
SEEDS = short_or_long(1, 8)
KILLS = short_or_long(4, 6)


@contextmanager
def host(root):
    """Run `tests.job_host` in a process group of its own, and kill whatever is left of it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.job_host", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def descendants(pid):
    """List the processes below one."""
    below = children_of(pid)
    return below + [further for child in below for further in descendants(child)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_accepted_job_succeeds_though_all_processes_are_killed_again_and_again(
    service, street, seed
):
    video, mot = street
    chance = random.Random(seed)
    job_ids = [service.submit(video) for _ in range(JOBS)]
    for _ in range(KILLS):
        with host(service.root) as process:
            assert process.stdout.readline() == "started\n"
            time.sleep(chance.uniform(0.0, 4.0))
    with host(service.root):
        for job_id in job_ids:
            job = service.wait(job_id)
            assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
            assert service.mot(job_id) == mot
    assert service.leases() == []


def test_workers_die_with_the_process_that_hosts_them(service, street):
    job_ids = [service.submit(street[0]) for _ in range(JOBS)]
    with host(service.root) as process:
        until(service.leases)
        below = descendants(process.pid)
        assert len(below) >= 4
        process.kill()
        assert [pid for pid in below if not is_dead(pid)] == []
    with host(service.root):
        for job_id in job_ids:
            assert service.wait(job_id).state is JobState.SUCCEEDED


def test_a_second_service_on_the_same_folder_is_refused(service):
    with host(service.root) as first:
        assert first.stdout.readline() == "started\n"
        with host(service.root) as second:
            _, errors = second.communicate()
        assert second.returncode != 0
        assert f"is in use by another service (process {first.pid})" in errors
        assert first.poll() is None
