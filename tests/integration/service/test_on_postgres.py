"""The service with its rows in PostgreSQL: what it does as with SQLite, and what is harder."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from tests.job_service import until
from tests.job_values import ALL_KINDS, POLICY, a_job, a_video, claim

from sightline.jobs.sql import schema
from sightline.jobs.sql.database import Database
from sightline.jobs.sql.locks import hold_name
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import Priority, Queue
from sightline.jobs.store import Ingested
from sightline.jobs.worker_board import WorkerBoard, WorkerCard
from sightline.jobs.workplace import WorkOptions, open_workplace
from sightline.service import server
from sightline.service.access import Access
from sightline.service.audit import Action, AuditLog
from sightline.service.keys import KeyStore
from sightline.service.options import ServeOptions
from sightline.service.owner import KeyLimits, Owner, Scope
from sightline.service.problems import ProblemError
from sightline.service.quota import Quota
from sightline.service.rate_limit import RateLimiter
from sightline.service.uploads import UploadLimits, Uploads
from sightline.settings import Settings

ANN = Owner(id="ann", name="ann", scopes=frozenset(Scope), limits=KeyLimits(upload_bytes=100))


@pytest.fixture
def database_url(postgres_url):
    return postgres_url


@pytest.fixture
def database(services):
    return services.database


def test_a_video_is_uploaded_processed_found_again_and_deleted(client, services, submit_video):
    job = submit_video(client)
    services.executor.run_until_idle()
    finished = client.get(job["links"]["self"]).json()
    assert finished["status"] == "succeeded", finished
    assert client.get(f"/v1/jobs/{finished['id']}/results/mot").status_code == 200
    for query in ({"label": "site:north"}, {"q": "STREET"}, {"status": "succeeded"}):
        found = client.get("/v1/jobs", params=query).json()["jobs"]
        assert [job["id"] for job in found] == [finished["id"]], query
    text = client.get("/metrics").text
    assert 'sightline_jobs{state="succeeded"} 1.0' in text
    assert f'sightline_job_frames{{state="succeeded"}} {finished["video"]["frames"]}.0' in text
    assert client.delete(f"/v1/jobs/{finished['id']}").status_code == 204
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_interactive_jobs_are_asked_for_over_http(client, services):
    asked = {"source_url": "https://example.org/a.mp4", "priority": "interactive"}
    job = client.post("/v1/jobs", json=asked).json()
    assert job["priority"] == "interactive"
    assert services.store.get(job["id"]).spec.priority is Priority.INTERACTIVE


def test_a_database_that_is_away_is_told_to_clients_as_for_a_while(client, postgres, caplog):
    client.get("/v1/jobs")
    postgres.stop()
    try:
        behind_the_gate = client.get("/v1/jobs")
        in_the_gate = client.get("/v1/jobs", headers={"x-api-key": "sl_x"})
        ready = client.get("/readyz")
    finally:
        postgres.start()
    for answer in (behind_the_gate, in_the_gate, ready):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["type"] == "urn:sightline:problem:unavailable"
        assert answer.json()["instance"] == f"urn:request:{answer.headers['x-request-id']}"
        assert answer.headers["x-content-type-options"] == "nosniff"
    for answer in (behind_the_gate, in_the_gate):
        assert f"request={answer.headers['x-request-id']} " in caplog.text
    assert ready.json()["detail"] == "the database does not answer"
    assert "the database does not answer: " in caplog.text
    assert client.get("/v1/jobs").status_code == 200


@pytest.fixture
def hasty(services, postgres_url):
    """The same services, whose database may take 0.3 s for a statement."""
    with Database(postgres_url, statement_timeout_s=0.3) as database:
        store = SqlJobStore(database)
        access = Access.over(database, store, secret=services.access.secret, local=True)
        yield dataclasses.replace(services, database=database, store=store, access=access)


def test_what_the_database_takes_too_long_for_is_told_as_for_a_while(
    hasty, connect, postgres, caplog
):
    client = connect(hasty)
    asked = {"json": {"source_url": "https://example.org/a.mp4"}}
    assert client.get("/v1/jobs").status_code == 200
    with postgres.connect("migrated") as other, other.transaction():
        other.execute("LOCK TABLE jobs")
        reads = [client.begin("GET", "/v1/jobs") for _ in range(25)]  # more than connections
        answers = [
            answer.result(30) for answer in (*reads, client.begin("POST", "/v1/jobs", **asked))
        ]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "urn:sightline:problem:unavailable"
        assert problem["detail"] == (
            "the database of the service took too long for this; try again later"
        )
    assert "canceling statement due to statement timeout" in caplog.text
    assert hasty.database._engine.pool.checkedout() == 0
    backends = {backend_of(hasty.database) for _ in range(5)}
    assert client.get("/v1/jobs").status_code == 200
    assert client.post("/v1/jobs", **asked).status_code == 202
    assert backend_of(hasty.database) in backends, "its connections are as good as before"


def backend_of(database):
    with database.ask() as connection:
        return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()


def limit_of(database):
    with database.ask() as connection:
        return connection.exec_driver_sql("SHOW statement_timeout").scalar_one()


def test_the_interface_has_a_limit_for_statements_and_workers_have_none(tmp_path, postgres_url):
    for given, limit in (({}, "30s"), ({"statement_timeout_s": 7.5}, "7500ms")):
        settings = Settings(database_url=postgres_url, **given)
        with server._open_database(ServeOptions(data_dir=tmp_path, settings=settings)) as database:
            assert limit_of(database) == limit
    with open_workplace(postgres_url, tmp_path, options=WorkOptions()) as place:
        assert limit_of(place.store._database) == "0"


def test_tables_may_be_brought_up_to_date_for_as_long_as_it_takes(postgres):
    with postgres.database() as name, Database(postgres.url(name)) as other:
        hasty = Database(postgres.url(name), statement_timeout_s=0.05)
        with hasty, postgres.connect(name) as observer, ThreadPoolExecutor(1) as pool:
            with other.write() as connection:
                hold_name(connection, "sightline", "migration")
                migrated = pool.submit(hasty.migrate)
                until(lambda: migrated.done() or longest_wait_s(observer) > 0.2)
            migrated.result(30)
        assert SqlJobStore(other).count() == 0


def longest_wait_s(connection):
    """Tell for how long anybody in the database of a connection has waited for a lock."""
    waiting = connection.execute(
        "SELECT max(extract(epoch FROM clock_timestamp() - query_start)) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return waiting.fetchone()[0] or 0


@pytest.mark.parametrize("character", ["%00", "%01", "%ff"])
def test_ids_that_no_job_and_no_upload_can_have_are_not_found(client, character):
    for path in (f"/v1/jobs/{character}", f"/v1/jobs/{character}/events", f"/status/{character}"):
        assert client.get(path).json()["type"] == "urn:sightline:problem:unknown-job"
    assert client.post(f"/v1/jobs/{character}/cancel").status_code == 404
    tus = {"Tus-Resumable": "1.0.0"}
    assert client.request("HEAD", f"/v1/uploads/{character}", headers=tus).status_code == 404


def test_what_no_video_and_no_label_can_be_called_is_refused(client):
    for query in ("q=%00", "label=a:%00"):
        assert client.get(f"/v1/jobs?{query}").status_code == 422


def test_keys_are_made_found_and_revoked_once(database):
    keys = KeyStore(database)
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    assert keys.find(new.secret, now_s=100.0).owner == new.key.owner
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: keys.revoke(new.key.owner.id, now_s=2.0), range(6)))
    assert keys.find(new.secret, now_s=3.0) is None
    assert [key.last_used_at for key in keys.list()] == [100.0]
    actions = [entry.action for entry in AuditLog(database).list()]
    assert actions == [Action.REVOKE_KEY, Action.CREATE_KEY]


def test_uploads_begun_at_once_have_no_more_room_together(database, services):
    limits = UploadLimits(upload_bytes=1000, free_bytes=0)
    uploads = Uploads(database, services.storage, limits=limits)

    def create(_):
        try:
            return uploads.create(ANN, length=30, name="a.mp4")
        except ProblemError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(create, range(8)))
    assert begun.count("quota-exceeded") == 5


def test_an_upload_is_taken_by_one_of_many_jobs(database, services):
    uploads = Uploads(database, services.storage, limits=UploadLimits(free_bytes=0))
    upload = uploads.create(ANN, length=3, name="a.mp4")
    file = uploads.open(upload)
    file.append(b"abc")
    file.close()
    with ThreadPoolExecutor(8) as pool:
        takers = pool.map(lambda n: uploads.claim(upload.id, ANN, job_id=f"job-{n}"), range(8))
        assert len(set(takers)) == 1


def test_seconds_of_video_are_added_up_per_owner(database, services):
    quota = Quota(store=services.store, database=database, queued_jobs=5, submissions=RateLimiter())
    owner = dataclasses.replace(ANN, limits=KeyLimits(video_s_per_day=6.0))
    for number in range(2):
        quota.admit(owner, address="", now_s=1000.0)
        services.store.add(a_job(number, owner="ann", created_at=1000.0))
        lease = services.store.claim(ALL_KINDS, worker="w", policy=POLICY, now_s=1000.0)
        done = Ingested(video=a_video(duration_s=4.0))
        services.store.finish_ingest(lease, done, now_s=1000.0)
        claim(services.store, now_s=1000.0)
    with pytest.raises(ProblemError, match="8 s of video in 24 hours, of 6 s"):
        quota.admit(owner, address="", now_s=1000.0)
    services.store.cancel("job-00000", policy=POLICY, now_s=1000.0)
    services.store.sweep(policy=POLICY, now_s=2000.0)
    services.store.delete("job-00000")
    with pytest.raises(ProblemError, match="8 s of video in 24 hours, of 6 s"):
        quota.admit(owner, address="", now_s=1000.0)
    services.store.add(a_job(2, owner="ben", created_at=1000.0 + 86400.0))
    with database.read() as connection:
        assert connection.execute(select(schema.usage)).all() == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_workers_are_on_the_board_as_long_as_they_are_heard_of(kind, tmp_path, postgres_url):
    url = postgres_url if kind == "postgres" else f"sqlite:///{tmp_path / 'board.sqlite'}"
    card = WorkerCard(
        name="a:1",
        host="a",
        pid=7,
        queues=(Queue.DETECT, Queue.INTERACTIVE),
        slots=4,
        busy=1,
        lost=0,
        started_at=50.0,
        seen_at=100.0,
    )
    with Database(url) as database:
        database.migrate()
        board = WorkerBoard(database)
        board.post(dataclasses.replace(card, name="b:1"))
        board.post(card)
        assert [found.name for found in board.cards(101.0)] == ["a:1", "b:1"]
        again = dataclasses.replace(card, busy=2, seen_at=140.0)
        board.post(again)
        assert board.cards(141.0) == (again,)
        board.remove("a:1")
        assert board.cards(141.0) == ()
        board.sweep(10_000.0)
        assert board.cards(101.0) == ()
