"""The store in PostgreSQL: many processes at once, and a server that closes connections."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from tests.job_claimers import (
    SPAWN,
    check_that_every_task_is_done_once,
    claim_and_keep,
    die_while_writing,
    in_processes,
    migrate,
)
from tests.job_values import CHUNK, INGEST, POLICY, a_job, claim, finish, ingested, with_chunks

from sightline.errors import MissingExtraError
from sightline.jobs.sql import clock
from sightline.jobs.sql.database import Database, DatabaseError
from sightline.jobs.sql.schema import jobs, metadata
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import TaskKind, TaskState
from sightline.jobs.store import IdempotencyKey, JobStateError, LeaseReport, Standing

PROCESSES = 6


@pytest.fixture
def database(postgres_url):
    with Database(postgres_url) as database:
        yield database


@pytest.fixture
def store(database):
    return SqlJobStore(database)


# Many at once


def test_processes_that_work_off_one_database_do_every_task_once(postgres_url, store):
    check_that_every_task_is_done_once(postgres_url, store, processes=PROCESSES)


def test_of_one_job_no_chunk_is_claimed_twice_and_none_is_left(postgres_url, store):
    store.add(a_job(0))
    assert store.finish_ingest(claim(store), ingested(50), now_s=0.0)
    claimed = in_processes(claim_and_keep, [(postgres_url, f"w{n}") for n in range(PROCESSES)])
    assert sorted(number for numbers in claimed for number in numbers) == list(range(50))
    assert store.get("job-00000").progress.chunks_running == 50


def work_until(ended, store, number):
    """Claim tasks; finish some of them, and give the others back."""
    while not ended.is_set():
        lease = claim(store, worker=f"w{number}")
        if lease is None:
            continue
        store.renew(lease, LeaseReport(frames_done=number), policy=POLICY, now_s=0.0)
        if number % 2:
            store.release(lease, policy=POLICY, now_s=0.0)
        elif lease.task.kind is TaskKind.CHUNK:
            finish(store, lease)


def disturb(store, job_id, number):
    """Do to a job what clients and housekeepers do."""
    store.forfeit([f"w{number}", "w0"], counted=False, policy=POLICY, now_s=0.0)
    with suppress(JobStateError):  # others do the same
        if number % 2:
            store.cancel(job_id, policy=POLICY, now_s=0.0)
        else:
            store.retry(job_id, now_s=0.0)
    store.sweep(policy=POLICY, now_s=100.0)


def test_claims_cancels_retries_and_sweeps_never_wait_for_each_other_in_a_circle(store):
    job_ids = [with_chunks(store, a_job(number), 4) for number in range(4)]
    ended = threading.Event()
    with ThreadPoolExecutor(12) as pool:
        workers = [pool.submit(work_until, ended, store, number) for number in range(6)]
        turns = [pool.submit(disturb, store, job_ids[n % 4], n // 4) for n in range(120)]
        try:
            for done in turns:
                done.result(timeout=120)
        finally:
            ended.set()
        for worker in workers:
            worker.result(timeout=60)
    for job_id in job_ids:
        chunks = [task.state for task in store.tasks(job_id) if task.kind is TaskKind.CHUNK]
        progress = store.get(job_id).progress
        counted = (chunks.count(TaskState.DONE), chunks.count(TaskState.LEASED))
        assert counted == (progress.chunks_done, progress.chunks_running)


def test_one_submission_repeated_at_once_is_one_job(store):
    key = IdempotencyKey(key="k", digest="d")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: store.add(a_job(), idempotency=key).id, range(24)))
    assert len(set(added)) == 1
    assert store.count() == 1


def test_processes_that_start_at_once_make_the_tables_once(postgres):
    with postgres.database() as name:
        in_processes(migrate, [(postgres.url(name),)] * PROCESSES)
        with Database(postgres.url(name)) as database:
            assert SqlJobStore(database).count() == 0
            with database.read() as connection:
                context = MigrationContext.configure(connection, opts={"compare_type": True})
                assert compare_metadata(context, metadata) == []


def test_a_question_of_a_worker_waits_for_nobody(store, database):
    with_chunks(store, a_job(0), 2)
    lease = claim(store, CHUNK)
    with database.write() as connection:
        connection.execute(jobs.select().with_for_update())
        assert store.standing(lease) is Standing.GO_ON


def test_the_next_task_is_found_by_its_index_though_the_statistics_are_old(
    postgres, store, database
):
    with_chunks(store, a_job(0), 3000)
    with postgres.connect("migrated") as connection:
        connection.execute("ANALYZE tasks")  # nearly all are ready; and then, nearly none
        connection.execute("UPDATE tasks SET state = 'done' WHERE kind = 'chunk' AND number < 2900")
        sent = statements_of(database, lambda: claim(store, CHUNK))
        for statement, parameters in sent:
            if "ORDER BY tasks.turn" in statement:
                plan = connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
                assert "ix_tasks_queue_state_turn_kind" in str(plan)
    assert any("ORDER BY tasks.turn" in statement for statement, _ in sent)


def statements_of(database, ask):
    """Ask, and give the statements that were sent, with their parameters."""
    sent = []

    def note(_connection, _cursor, statement, parameters, *_):
        sent.append((statement, parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    ask()
    event.remove(database._engine, "before_cursor_execute", note)
    return sent


# Time


def test_the_time_is_that_of_the_server_whatever_the_clock_here_says(database, monkeypatch):
    with database.ask() as connection:
        server_s = float(connection.execute(clock._NOW).scalar_one())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= database.clock() - server_s < 60
    assert database.clock() <= database.clock()


def test_the_time_goes_on_while_the_server_does_not_answer(postgres, postgres_url, monkeypatch):
    monkeypatch.setattr(clock, "_EVERY_S", 0.0)  # it is asked every time
    with Database(postgres_url) as database:
        before_s = database.clock()
        postgres.stop()
        try:
            assert before_s <= database.clock() <= database.clock()
            with Database(postgres_url) as other, pytest.raises(DatabaseError):
                other.clock()
        finally:
            postgres.start()
        assert database.clock() >= before_s


# What goes wrong


def test_a_process_killed_while_it_writes_leaves_nothing_behind(postgres_url, store):
    store.add(a_job(0, owner="ann"))
    process = SPAWN.Process(target=die_while_writing, args=(postgres_url,))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    assert store.get("job-00000").owner == "ann"
    assert claim(store) is not None


def test_connections_that_the_server_has_closed_are_replaced(postgres, store):
    store.add(a_job(0))
    with postgres.connect("migrated") as connection:
        assert postgres.end_backends(connection) > 0
    assert claim(store, INGEST) is not None


def test_a_transaction_whose_connection_the_server_closes_is_an_error_and_is_undone(
    postgres, store, database
):
    store.add(a_job(0, owner="ann"))

    def write():
        with database.write() as connection, postgres.connect("migrated") as other:
            connection.execute(jobs.update().values(owner="nobody"))
            postgres.end_backends(other)
            connection.execute(jobs.update().values(owner="anybody"))

    with pytest.raises(DatabaseError, match=r"cannot use the database .*terminating connection"):
        write()
    assert store.get("job-00000").owner == "ann"


def test_jobs_outlive_a_restart_of_the_server(postgres, store):
    store.add(a_job(0))
    lease = claim(store, INGEST)
    postgres.stop()
    try:
        with pytest.raises(DatabaseError, match=r"cannot use the database .*refused"):
            store.get("job-00000")
    finally:
        postgres.start()
    assert finish(store, lease)


def test_a_transaction_that_raises_is_undone(store, database):
    store.add(a_job(0, owner="ann"))

    def fail_half_way():
        with database.write() as connection:
            connection.execute(jobs.update().values(owner="nobody"))
            connection.execute(jobs.update().values(owner=None))

    with pytest.raises(IntegrityError):
        fail_half_way()
    assert store.get("job-00000").owner == "ann"


@pytest.mark.parametrize(
    ("part", "wrong", "said"),
    [
        (":open-sesame", ":tell-nobody", "password authentication failed"),
        ("/migrated", "/nowhere", "database .*nowhere.* does not exist"),
        ("127.0.0.1", "no-such-host.invalid", "no-such-host.invalid"),
    ],
)
def test_what_cannot_be_connected_to_is_an_error_of_one_line_without_password(
    postgres, part, wrong, said
):
    url = postgres.url("migrated").replace(part, wrong)
    with Database(url) as database, pytest.raises(DatabaseError, match=said) as caught:
        database.migrate()
    text = str(caught.value)
    assert "\n" not in text
    assert "open-sesame" not in text
    assert "tell-nobody" not in text


def test_a_server_that_is_not_there_is_an_error_of_one_line():
    with Database("postgres://ann@127.0.0.1:1/x") as database:
        with pytest.raises(DatabaseError, match=r"ann@127\.0\.0\.1:1/x: .*refused") as caught:
            database.migrate()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://a:hidden@b/c", "nonsense", "", "postgresql+psycopg2://a:hidden@b/c"]
)
def test_other_addresses_are_refused_with_what_to_write(url):
    with pytest.raises(DatabaseError, match="postgresql://") as caught:
        Database(url)
    assert "hidden" not in str(caught.value)


def test_the_address_is_shown_without_passwords():
    with Database("postgresql://ann:hidden@db/x?sslpassword=secret") as database:
        assert database.url == "postgresql+psycopg://ann:***@db/x?sslpassword=..."


def test_without_the_driver_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[postgres\]"):
        Database("postgresql://ann@db/x")
