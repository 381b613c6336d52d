"""Programs that work on a database of jobs from processes of their own."""

import multiprocessing
import os
import signal
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.job_values import CHUNK, FINAL, INGEST, POLICY, a_job, claim, finish

from sightline.jobs.sql.database import Database
from sightline.jobs.sql.schema import jobs
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import JobQuery, LeaseReport

__all__ = [
    "SPAWN",
    "check_that_every_task_is_done_once",
    "claim_and_keep",
    "die_while_writing",
    "in_processes",
    "migrate",
]

SPAWN = multiprocessing.get_context("spawn")


def in_processes(function, calls):
    """Call a function with each of the arguments, all at once; return the results."""
    with ProcessPoolExecutor(len(calls), mp_context=SPAWN) as pool:
        return [done.result(timeout=120) for done in [pool.submit(function, *c) for c in calls]]


def check_that_every_task_is_done_once(url, store, *, processes):
    """Have so many processes work off the jobs of one database."""
    for number in range(25):
        store.add(a_job(number))
    worked = in_processes(_work_off, [(url, f"worker-{n}") for n in range(processes)])
    # A worker leaves when nothing is ready, even if another one's task makes something ready.
    worked.append(_work_off(url, "last"))
    done = Counter(task for tasks, _ in worked for task in tasks)
    assert set(done.values()) == {1}
    assert len(done) == 25 * 4  # an ingest, two chunks, a final pass
    assert sum(lost for _, lost in worked) == 0
    assert {job.state for job in store.list(JobQuery())} == {JobState.SUCCEEDED}


def migrate(url):
    """Make the tables, at the same time as others."""
    with Database(url) as database:
        database.migrate()


def _work_off(url, worker):
    """Do all tasks there are; return those that were done, and how many leases were lost."""
    store = SqlJobStore(Database(url))
    done, lost = [], 0
    while (lease := claim(store, INGEST + CHUNK, worker=worker) or claim(store, FINAL)) is not None:
        store.renew(lease, LeaseReport(frames_done=1), policy=POLICY, now_s=1.0)
        if lease.task.kind is TaskKind.FINAL and store.get(lease.job.id).state is JobState.RUNNING:
            store.release(lease, policy=POLICY, now_s=1.0)  # chunks are still with others
        elif finish(store, lease):
            done.append((lease.task.job_id, lease.task.kind.value, lease.task.number))
        else:
            lost += 1
    store.close()
    return done, lost


def die_while_writing(url):
    """Be killed in the middle of a transaction."""
    with Database(url).write() as connection:
        connection.execute(jobs.update().values(owner="nobody"))
        os.kill(os.getpid(), signal.SIGKILL)


def claim_and_keep(url, worker):
    """Claim chunks as long as there are any; return their numbers."""
    store = SqlJobStore(Database(url))
    numbers = []
    while (lease := claim(store, CHUNK, worker=worker)) is not None:
        numbers.append(lease.task.number)
    store.close()
    return numbers
