"""Programs that work on a database of jobs from processes of their own."""

import os
import signal

from tests.job_values import CHUNK, FINAL, INGEST, POLICY, claim, finish

from sightline.jobs.sql.database import Database
from sightline.jobs.sql.schema import jobs
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import LeaseReport


def migrate(url):
    """Make the tables, at the same time as others."""
    with Database(url) as database:
        database.migrate()


def work_off(url, worker):
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
