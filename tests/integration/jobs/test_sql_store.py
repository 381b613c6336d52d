"""The store in SQLite: many processes and threads, a long queue, and its tables."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from tests.job_claimers import (
    SPAWN,
    check_that_every_task_is_done_once,
    die_while_writing,
    in_processes,
    migrate,
)
from tests.job_values import ALL_KINDS, CHUNK, INGEST, POLICY, a_job, claim, finish, with_chunks

from sightline.jobs.model import Failure
from sightline.jobs.sql.database import Database, DatabaseError
from sightline.jobs.sql.listing import page
from sightline.jobs.sql.schema import deliveries, metadata
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, Priority
from sightline.jobs.store import Finalized, JobQuery, LeaseReport

PROCESSES = 4


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/jobs.sqlite"


@pytest.fixture
def database(url):
    with Database(url) as database:
        database.migrate()
        yield database


@pytest.fixture
def store(database):
    return SqlJobStore(database)


def test_processes_that_work_off_one_file_do_every_task_once(url, store):
    check_that_every_task_is_done_once(url, store, processes=PROCESSES)


def test_processes_that_start_at_once_make_the_tables_once(url):
    in_processes(migrate, [(url,)] * PROCESSES)
    store = SqlJobStore(Database(url))
    assert store.count() == 0
    store.close()


def test_threads_submit_and_read_while_others_claim(store):
    def play(number):
        store.add(a_job(number))
        lease = claim(store, INGEST)
        assert finish(store, lease)
        return lease.job.id, store.get(lease.job.id).progress.chunks_total

    with ThreadPoolExecutor(30) as pool:
        played = list(pool.map(play, range(90)))
    assert sorted(played) == [(f"job-{number:05d}", 2) for number in range(90)]


def test_a_process_killed_while_it_writes_leaves_nothing_behind(url, store):
    store.add(a_job(0, owner="ann"))
    process = SPAWN.Process(target=die_while_writing, args=(url,))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    assert store.get("job-00000").owner == "ann"
    assert claim(store) is not None


def test_of_a_thousand_queued_jobs_none_is_lost(store):
    for number in range(1000):
        store.add(a_job(number))
    assert store.count() == 1000
    found, before = [], None
    while page := store.list(JobQuery(before=before, limit=100)):
        found += [job.id for job in page]
        before = page[-1].id
    assert found == [f"job-{number:05d}" for number in reversed(range(1000))]
    claimed = [claim(store).task.job_id for _ in range(1000)]
    assert claimed == found[::-1]
    assert claim(store) is None


def plans_of(database, ask):
    """Ask, and give SQLite's plan of every statement that was sent."""
    sent = []

    def note(_connection, _cursor, statement, parameters, *_):
        sent.append((statement, parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    ask()
    event.remove(database._engine, "before_cursor_execute", note)
    plans = []
    with database.read() as connection:
        for statement, parameters in sent:
            if not statement.startswith("BEGIN"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [row[-1] for row in rows]
    return plans


@pytest.mark.parametrize(
    "query",
    [
        JobQuery(),
        JobQuery(before="job-00500"),
        JobQuery(owner="ann"),
        JobQuery(owner="ann", before="job-00500"),
        JobQuery(states=frozenset({JobState.FAILED})),
        JobQuery(owner="ann", states=frozenset({JobState.FAILED}), before="job-00500"),
    ],
    ids=str,
)
def test_a_page_of_jobs_is_read_in_the_order_of_an_index(database, store, query):
    plans = plans_of(database, lambda: store.list(query))
    assert plans
    for plan in plans:
        assert "USING INDEX" in plan
        assert "TEMP B-TREE" not in plan


def test_jobs_of_a_label_are_found_by_an_index(database, store):
    plans = plans_of(database, lambda: store.list(JobQuery(labels={"site": "north"})))
    assert any("ix_labels_name_value_job_id" in plan for plan in plans)


def test_no_question_of_workers_and_watchers_looks_at_every_row(database, store):
    with_chunks(store, a_job(0), 3)
    lease = claim(store, CHUNK)
    asked = {
        "claim": lambda: claim(store, ALL_KINDS),
        "renew": lambda: store.renew(lease, LeaseReport(frames_done=1), policy=POLICY, now_s=1.0),
        "sweep": lambda: store.sweep(policy=POLICY, now_s=1.0),
        "forfeit": lambda: store.forfeit(["nobody"], counted=True, policy=POLICY, now_s=1.0),
        "get": lambda: store.get("job-00000"),
        "tasks": lambda: store.tasks("job-00000"),
        "chunks": lambda: store.chunks("job-00000", first=1, limit=1),
        "standing": lambda: store.standing(lease),
        "versions": lambda: store.versions(["job-00000"]),
        "count": lambda: store.count(owner="ann"),
        "positions": lambda: store.queue_positions(["job-00000"]),
        "outstanding": store.outstanding,
        "finish": lambda: finish(store, lease),
    }
    for name, ask in asked.items():
        for plan in plans_of(database, ask):
            is_of_table = plan.split()[1] in ("jobs", "tasks")
            assert not (plan.startswith("SCAN") and is_of_table), f"{name}: {plan}"


@pytest.mark.parametrize(
    ("end", "told"),
    [("fail", "job.failed"), ("cancel", "job.canceled"), ("finish", "job.succeeded")],
)
def test_the_end_of_a_job_is_to_be_told_to_its_webhook_once(database, store, end, told):
    job_id = with_chunks(store, a_job(0, webhook_url="https://example.org/hook"), 0)
    lease = claim(store)
    if end == "fail":
        broken = Failure(code="stage-failed", message="it failed")
        store.fail(lease, broken, again=False, policy=POLICY, now_s=7.0)
    elif end == "cancel":
        store.cancel(job_id, policy=POLICY, now_s=6.0)
        store.release(lease, policy=POLICY, now_s=7.0)
    else:
        finish(store, lease, now_s=7.0)
    store.sweep(policy=POLICY, now_s=1e9)
    with database.read() as connection:
        (row,) = connection.execute(deliveries.select())
    assert (row.job_id, row.event, row.url) == (job_id, told, "https://example.org/hook")
    assert (row.attempts, row.next_at, row.created_at, row.done_at) == (0, 7.0, 7.0, None)


def test_the_migrations_make_the_tables_that_the_code_uses(database):
    database.migrate()  # again: nothing is to be done
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_database_of_a_newer_version_is_refused(url, database, tmp_path):
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseError, match=r"cannot use the database .*9999"):
        database.migrate()


def test_a_database_that_cannot_be_opened_is_an_error_with_its_name(tmp_path):
    with (
        Database(f"sqlite:///{tmp_path}/missing/jobs.sqlite") as database,
        pytest.raises(DatabaseError, match=r"missing/jobs\.sqlite: unable to open"),
    ):
        database.migrate()


def test_a_transaction_that_raises_is_undone(database, store):
    job = store.add(a_job(0))

    def fail_half_way():
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET owner = 'nobody'")
            connection.exec_driver_sql("UPDATE jobs SET owner = NULL")

    with pytest.raises(IntegrityError):
        fail_half_way()
    assert store.get(job.id) == job
    assert store.add(replace(job, id="job-00001")).id == "job-00001"


@pytest.mark.parametrize("number", [1, 2, 20])
def test_however_many_labels_are_looked_for_it_takes_one_subquery(number):
    labels = {f"name{place}": "value" for place in range(number)}
    assert str(page(JobQuery(labels=labels))).count("SELECT labels.job_id") == 1


def test_tasks_of_an_older_version_get_the_queue_of_their_kind(url, database, store):
    job_id = with_chunks(store, a_job(0), 2)
    database.close()
    older = to_the_first_version(url)
    with Database(url) as database:
        database.migrate()
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    newer = SqlJobStore(Database(url))
    assert [task.queue.value for task in newer.tasks(job_id)] == [
        "ingest",
        "detect",
        "detect",
        "finalize",
    ]
    assert newer.get(job_id).spec.priority is Priority.NORMAL
    assert [claim(newer).task.number for _ in range(2)] == [0, 1]
    assert newer.list(JobQuery())[0].id == older
    newer.close()


def test_results_of_an_older_version_go_as_far_as_the_last_final_pass(url, database, store):
    job_id = with_chunks(store, a_job(0), 1)
    finish(store, claim(store))
    final = claim(store)
    store.cancel(job_id, policy=POLICY, now_s=1.0)
    done = Finalized(frames=50, partial=True)
    assert store.finish_final(final, done, policy=POLICY, now_s=2.0)
    database.close()
    to_the_first_version(url)
    with Database(url) as newer:
        newer.migrate()
        assert SqlJobStore(newer).get(job_id).progress.frames_kept == 50


def to_the_first_version(url):
    """Take out of a database what the second version has added; return the id of its job."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executescript(
            """
            DROP INDEX ix_jobs_state_priority_id;
            DROP INDEX ix_tasks_queue_state_turn_kind;
            ALTER TABLE jobs DROP COLUMN priority;
            ALTER TABLE tasks DROP COLUMN queue;
            ALTER TABLE tasks DROP COLUMN turn;
            CREATE INDEX ix_tasks_kind_state_job_id_number ON tasks (kind, state, job_id, number);
            DROP TABLE workers;
            DROP TABLE usage;
            ALTER TABLE jobs DROP COLUMN detect_from;
            ALTER TABLE jobs DROP COLUMN frames_kept;
            UPDATE alembic_version SET version_num = '0001';
            """
        )
        (job_id,) = connection.execute("SELECT id FROM jobs").fetchone()
    connection.close()
    return job_id
