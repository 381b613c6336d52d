"""Who gets in: keys, sessions, foreign pages, limits; with a real database behind the gate."""

import dataclasses
import time

import pytest

from sightline.service.auth import BindingError, check_binding
from sightline.service.gate import GateSettings
from sightline.service.keys import KeyStore
from sightline.service.owner import KeyLimits, Scope
from sightline.service.rate_limit import Rate

OWN_PAGE = {"X-Requested-With": "sightline"}


@pytest.fixture
def keys(services):
    return KeyStore(services.database)


def make_key(keys, *scopes, **limits):
    made = keys.create(
        "gate", scopes=scopes or [Scope.READ, Scope.WRITE], limits=KeyLimits(**limits), now_s=1.0
    )
    return made.secret, made.key.owner.id


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def wait_for(condition):
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_without_keys_a_local_service_takes_everybody_for_the_local_user(client):
    me = client.get("/v1/me").json()
    assert (me["id"], me["authority"]) == ("", "none needed")
    assert set(me["scopes"]) == {"jobs:read", "jobs:write", "metrics:read", "admin"}
    assert str(me["limits"]["active_jobs"]) == "10000"


def test_a_service_that_others_reach_never_goes_without_keys(services, connect, keys):
    access = services.access
    access.authenticator._local = False
    assert connect(services).get("/v1/me").status_code == 401


def test_from_the_first_key_on_a_key_is_needed_even_when_it_is_revoked(services, connect, keys):
    _, key_id = make_key(keys)
    client = connect(services)
    assert client.get("/v1/me").status_code == 401
    keys.revoke(key_id, now_s=2.0)
    assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize("header", ["Authorization", "authorization", "X-API-Key"])
def test_a_key_opens(client, keys, header):
    secret, key_id = make_key(keys)
    value = secret if header == "X-API-Key" else f"bearer {secret}"
    me = client.get("/v1/me", headers={header: value}).json()
    assert (me["id"], me["authority"]) == (key_id, "key")


def test_a_key_in_the_address_does_not(client, keys):
    secret, _ = make_key(keys)
    for name in ("key", "api_key", "token", "access_token"):
        assert client.get("/v1/me", params={name: secret}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "sl_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer sl_wrong"},
        {"Authorization": "Bearer ÿ".encode("latin-1")},
    ],
)
def test_a_wrong_key_is_told_and_is_a_problem_document(client, headers):
    answer = client.get("/v1/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:sightline:problem:unauthorized"


def test_a_revoked_key_is_of_no_use_within_a_second(client, keys):
    secret, key_id = make_key(keys)
    assert client.get("/v1/me", headers=bearer(secret)).status_code == 200
    keys.revoke(key_id, now_s=2.0)
    wait_for(lambda: client.get("/v1/me", headers=bearer(secret)).status_code == 401)


def test_who_tries_keys_has_to_wait_and_who_has_one_does_not(client, keys):
    secret, _ = make_key(keys)
    assert client.get("/v1/me", headers=bearer(secret)).status_code == 200
    answers = [client.get("/v1/me", headers=bearer(f"sl_{n}")) for n in range(15)]
    assert [answer.status_code for answer in answers[:10]] == [401] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert client.post("/v1/session", json={"key": "sl_x"}).status_code == 429
    assert client.get("/v1/me", headers=bearer(secret)).status_code == 200


def test_a_scope_is_needed(client, keys):
    reader, _ = make_key(keys, Scope.READ)
    writer, _ = make_key(keys, Scope.WRITE)
    assert client.get("/v1/jobs", headers=bearer(reader)).status_code == 200
    assert client.get("/v1/jobs", headers=bearer(writer)).status_code == 403
    assert client.get("/v1/me/webhook-secret", headers=bearer(reader)).status_code == 403
    shown = client.get("/v1/me/webhook-secret", headers=bearer(writer)).json()
    assert shown["secret"].startswith("whsec_")


def test_a_key_for_metrics_allows_nothing_else(client, keys):
    prometheus, _ = make_key(keys, Scope.METRICS)
    user, _ = make_key(keys, Scope.READ, Scope.WRITE)
    boss, _ = make_key(keys, Scope.ADMIN)
    for secret, status in ((prometheus, 200), (user, 403), (boss, 200)):
        assert client.get("/metrics", headers=bearer(secret)).status_code == status
    assert client.get("/metrics").status_code == 401
    assert client.get("/v1/jobs", headers=bearer(prometheus)).status_code == 403
    form = {"source_url": "https://example.org/a.mp4"}
    assert client.post("/push", data=form, headers=bearer(prometheus)).status_code == 403


def begin_session(client, secret, **headers):
    answer = client.post("/v1/session", json={"key": secret}, headers=headers)
    assert answer.status_code == 204
    return answer.headers["set-cookie"]


def test_a_session_cookie_is_closed_to_scripts_and_other_sites(client, keys):
    secret, _ = make_key(keys)
    cookie = begin_session(client, secret)
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert secret not in cookie
    https = begin_session(client, secret, Origin="https://localhost")
    assert "Secure" in https


def test_a_session_reads_and_with_the_header_writes(client, keys):
    secret, key_id = make_key(keys)
    begin_session(client, secret)
    assert client.get("/v1/me").json()["authority"] == "cookie"
    assert client.get("/v1/me").json()["id"] == key_id
    assert client.post("/v1/jobs", json={}).status_code == 403
    assert client.post("/v1/jobs", json={}, headers=OWN_PAGE).status_code == 422
    assert client.post(
        "/v1/jobs", json={}, headers={"Sec-Fetch-Site": "same-origin"}
    ).is_client_error
    foreign = {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site", **OWN_PAGE}
    assert client.post("/v1/jobs", json={}, headers=foreign).status_code == 403
    assert client.get("/v1/jobs", headers=foreign).status_code == 403


def test_a_session_ends_by_deletion_and_with_its_key(client, keys):
    secret, key_id = make_key(keys)
    begin_session(client, secret)
    assert client.delete("/v1/session", headers=OWN_PAGE).status_code == 204
    wait_for(lambda: client.get("/v1/me").status_code == 401)
    begin_session(client, secret)
    assert client.get("/v1/me").status_code == 200
    keys.revoke(key_id, now_s=2.0)
    wait_for(lambda: client.get("/v1/me").status_code == 401)


def test_a_forged_cookie_is_as_good_as_none(client, keys):
    _, key_id = make_key(keys)
    for value in (key_id, f"{key_id}.99999999999.AAAA", "..", "ÿ".encode("latin-1"), ""):
        cookie = b"sightline_session=" + (value if isinstance(value, bytes) else value.encode())
        assert client.get("/v1/me", headers={"Cookie": cookie}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_rebound_name_reaches_nothing(client, method):
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example"):
        answer = client.request(method, "/v1/jobs", headers={"Host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("path", ["/push", "/v1/jobs", "/v1/uploads", "/v1/session"])
def test_a_form_of_another_web_site_submits_nothing_to_a_local_service(client, path):
    form = {"source_name": "evil", "source_url": "https://evil.example/a.mp4"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ):
        answer = client.post(path, data=form, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:sightline:problem:cross-origin"


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(client):
    answer = client.post("/v1/jobs", json={"source_name": "x" * 300_000})
    assert answer.status_code == 413

    async def endless():
        while True:
            yield b"x" * 100_000

    answer = client.post("/v1/session", content=endless())
    assert answer.status_code == 413


def test_too_many_requests_are_told_when_to_come_again(services, connect):
    settings = GateSettings(requests=Rate(per_second=0.001, burst=5))
    client = connect(dataclasses.replace(services, gate=settings))
    answers = [client.get("/v1/me") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 1
    assert answers[-1].headers["ratelimit-policy"].startswith('"requests";q=5')


def test_quotas_are_looked_at_before_the_body(client, keys):
    secret, _ = make_key(keys, submissions_per_minute=1)
    first = client.post("/v1/jobs", content=b"{", headers=bearer(secret))
    assert first.status_code != 429
    second = client.post("/v1/jobs", content=b"{", headers=bearer(secret))
    assert second.status_code == 429
    assert int(second.headers["retry-after"]) >= 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_service_without_keys_may_listen_on_loopback(host):
    assert check_binding(host, has_keys=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1"])
def test_a_service_without_keys_does_not_listen_beyond(host):
    with pytest.raises(BindingError, match="sightline keys create"):
        check_binding(host, has_keys=False)
    assert not check_binding(host, has_keys=True)
