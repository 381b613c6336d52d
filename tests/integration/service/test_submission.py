"""Submissions that are repeated or refused: they make no second job, and leave nothing behind."""

import pytest
from sqlalchemy import select

from sightline.jobs.sql import schema
from sightline.service.keys import KeyStore
from sightline.service.owner import KeyLimits, Scope

URL = "https://example.org/a.mp4"


def make_key(services, **limits):
    """Give the headers of a new owner, and its idempotency key."""
    made = KeyStore(services.database).create(
        "gate", scopes=[Scope.READ, Scope.WRITE], limits=KeyLimits(**limits), now_s=1.0
    )
    return {"X-API-Key": made.secret, "Idempotency-Key": "k1"}


@pytest.fixture
def key(services):
    """The headers of an owner who may have one active job."""
    return make_key(services, active_jobs=1)


def send(client, headers, **body):
    return client.post("/v1/jobs", json={"source_url": URL, **body}, headers=headers)


def send_form(client, headers, content=b"a" * 1000, job="{}"):
    return client.post(
        "/v1/jobs", files={"file": ("a.mp4", content)}, data={"job": job}, headers=headers
    )


def type_of(answer):
    return answer.json()["type"].rpartition(":")[2]


def kept(services):
    """Name the uploads, by their rows and by their files."""
    folder = services.storage.root / "uploads"
    with services.database.read() as connection:
        rows = set(connection.execute(select(schema.uploads.c.id)).scalars())
    return rows, {path.name for path in folder.iterdir()}


def uploads_of(services):
    """Name the uploads of jobs, as `kept` does."""
    with services.database.read() as connection:
        specs = connection.execute(select(schema.jobs.c.spec)).scalars()
        ids = {spec["upload"] for spec in specs}
    return ids, ids


@pytest.mark.parametrize("submit", [send, send_form])
def test_who_has_no_room_for_another_job_still_gets_the_one_of_the_same_key(client, key, submit):
    first = submit(client, key)
    again = submit(client, key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = submit(client, key | {"Idempotency-Key": "k2"})
    assert (other.status_code, type_of(other)) == (429, "quota-exceeded")


def test_a_repeated_submission_is_no_other_one_for_lack_of_room(client, key):
    send(client, key)
    other = send(client, key, start_s=1)
    assert (other.status_code, type_of(other)) == (422, "idempotency-conflict")


def test_a_repeated_submission_with_an_upload_is_the_same_job(client, key):
    tus = {"Tus-Resumable": "1.0.0", "X-API-Key": key["X-API-Key"]}
    begun = client.post(
        "/v1/uploads",
        headers={**tus, "Upload-Length": "3", "Content-Type": "application/offset+octet-stream"},
        content=b"abc",
    )
    asked = {"upload": begun.headers["location"].rpartition("/")[2]}
    answers = [client.post("/v1/jobs", json=asked, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = client.post("/v1/jobs", json={**asked, "start_s": 1}, headers=key)
    assert (other.status_code, type_of(other)) == (422, "idempotency-conflict")


def test_whose_job_was_deleted_under_a_key_may_use_it_for_another(services, client, key):
    first = send(client, key).json()
    client.post(first["links"]["cancel"], headers=key)
    client.delete(first["links"]["self"], headers=key)
    again = send(client, key, start_s=1)
    assert again.status_code == 202
    assert again.json()["id"] != first["id"]


def test_of_a_repeated_form_nothing_more_is_kept(services, client, key):
    assert send_form(client, key).status_code == 202
    assert send_form(client, key).status_code == 202
    assert kept(services) == uploads_of(services)


def test_of_a_form_that_is_refused_for_its_key_nothing_is_kept(services, client, key):
    send_form(client, key)
    refused = send_form(client, key, b"b" * 1000)
    assert (refused.status_code, type_of(refused)) == (422, "idempotency-conflict")
    assert kept(services) == uploads_of(services)
    refused = send_form(client, key, job='{"start_s": 1}')
    assert (refused.status_code, type_of(refused)) == (422, "idempotency-conflict")
    assert kept(services) == uploads_of(services)


@pytest.mark.parametrize("is_same", [True, False])
def test_of_forms_sent_at_once_under_one_key_only_that_of_the_job_is_kept(
    services, client, is_same
):
    key = make_key(services, active_jobs=4)
    contents = [b"a" * 1000 if is_same else bytes([number]) * 1000 for number in range(4)]
    sent = [
        client.begin("POST", "/v1/jobs", files={"file": ("a.mp4", content)}, headers=key)
        for content in contents
    ]
    answers = [future.result(30) for future in sent]
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.json()["id"] for answer in accepted}) == 1
    assert len(accepted) == (4 if is_same else 1)
    assert kept(services) == uploads_of(services)
