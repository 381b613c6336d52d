"""What keys allow, and that nobody sees the jobs of others."""

from dataclasses import replace

import pytest

from sightline.service.access import Access
from sightline.service.keys import KeyStore
from sightline.service.owner import KeyLimits, Scope
from sightline.service.secret import load_secret

PATHS = [
    ("GET", ""),
    ("GET", "/events"),
    ("GET", "/chunks"),
    ("GET", "/tracks"),
    ("GET", "/detections"),
    ("GET", "/counts"),
    ("GET", "/results"),
    ("GET", "/results/mot"),
    ("GET", "/annotated.mp4"),
    ("GET", "/video"),
    ("GET", "/thumbnail.jpg"),
    ("POST", "/cancel"),
    ("POST", "/retry"),
    ("DELETE", ""),
]


@pytest.fixture
def keyed(services, connect, tmp_path):
    """A client of a service with keys, and a function that makes headers with a key."""
    keys = KeyStore(services.database)

    def headers(name, *scopes):
        made = keys.create(name, scopes=frozenset(scopes), limits=KeyLimits(), now_s=1.0)
        return {"authorization": f"Bearer {made.secret}"}

    access = Access.over(
        services.database, services.store, secret=load_secret(tmp_path), local=False
    )
    return connect(replace(services, access=access)), headers


def submit(client, headers):
    body = {"source_url": "https://example.org/a.mp4"}
    return client.post("/v1/jobs", json=body, headers=headers)


def test_without_a_key_there_is_nothing_but_health_and_the_page(keyed):
    client, _ = keyed
    for path in ("/v1/jobs", "/v1/jobs/x/events", "/v1/pipelines", "/v1/streams", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/livez").status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_job_of_somebody_else_does_not_exist(keyed, method, path):
    client, headers = keyed
    ann = headers("ann", Scope.READ, Scope.WRITE)
    bob = headers("bob", Scope.READ, Scope.WRITE)
    where = submit(client, ann).headers["location"]
    answer = client.request(method, where + path, headers=bob)
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":unknown-job")
    job = client.get(where, headers=ann).json()
    assert job["status"] == "queued"
    assert client.get("/v1/jobs", headers=bob).json()["jobs"] == []
    assert client.get(f"/status/{job['id']}", headers=bob).status_code == 404


def test_an_administrator_sees_the_jobs_of_everybody(keyed):
    client, headers = keyed
    where = submit(client, headers("ann", Scope.WRITE)).headers["location"]
    boss = headers("boss", Scope.ADMIN)
    assert client.get(where, headers=boss).status_code == 200
    assert len(client.get("/v1/jobs", headers=boss).json()["jobs"]) == 1
    assert client.get("/metrics", headers=boss).status_code == 200


def test_a_key_that_may_only_read_changes_nothing(keyed):
    client, headers = keyed
    reader = headers("reader", Scope.READ)
    assert submit(client, reader).status_code == 403
    for method, path in [("POST", "/v1/jobs/x/cancel"), ("DELETE", "/v1/jobs/x")]:
        assert client.request(method, path, headers=reader).status_code == 403
    assert client.get("/metrics", headers=reader).status_code == 403
