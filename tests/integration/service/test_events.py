"""Server-sent events over real connections, and how the server begins and ends."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from sightline.errors import OutputError
from sightline.service.application import make_application
from sightline.service.events import WatchLimits
from sightline.service.keys import KeyStore
from sightline.service.owner import Scope
from sightline.transport.tcp_listener import listen_tcp

BODY = {"source_url": "https://example.org/a.mp4"}


@pytest.fixture
def start(serve):
    """Serve services; give the server and a client."""
    with ExitStack() as stack:

        def make(services):
            server, port = serve(make_application(services))
            address = f"http://127.0.0.1:{port}"
            return server, stack.enter_context(httpx.Client(base_url=address, timeout=30))

        yield make


def submit(client):
    return client.post("/v1/jobs", json=BODY).json()


def events(lines):
    """Read events: name, id and data of each."""
    found = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and "data" in found:
            yield found["event"], int(found["id"]), json.loads(found["data"])
            found = {}
        elif name in ("event", "id", "data"):
            found[name] = value


def test_a_stream_begins_with_the_job_as_it_is_and_ends_with_the_last_of_it(services, start):
    _, client = start(services)
    job = submit(client)
    with client.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer.iter_lines())
        name, version, data = next(stream)
        assert (name, version, data["id"]) == ("status", 1, job["id"])
        client.post(job["links"]["cancel"])
        (last,) = stream
    assert (last[0], last[2]["status"]) == ("done", "canceled")
    assert last[1] == client.get(job["links"]["self"]).json()["version"]


def test_a_stream_that_is_taken_up_again_begins_with_what_is_newer(services, start):
    _, client = start(services)
    job = submit(client)
    seen = {"last-event-id": "1"}
    with client.stream("GET", job["links"]["events"], headers=seen) as answer:
        stream = events(answer.iter_lines())
        client.post(job["links"]["cancel"])
        assert [name for name, _, _ in stream] == ["done"]


@pytest.mark.parametrize("seen", ["9" * 5000, "1.5", "-1", "\u0663".encode(), "\u00b2".encode()])
def test_an_event_that_was_never_sent_was_not_seen(services, start, seen):
    _, client = start(services)
    job = submit(client)
    with client.stream("GET", job["links"]["events"], headers={"last-event-id": seen}) as answer:
        assert next(events(answer.iter_lines()))[0] == "status"


def test_a_stream_whose_end_was_seen_is_not_begun_again(services, start):
    _, client = start(services)
    job = submit(client)
    version = client.post(job["links"]["cancel"]).json()["version"]
    path = job["links"]["events"]
    assert client.get(path, headers={"last-event-id": str(version)}).status_code == 204
    assert "event: done" in client.get(path, headers={"last-event-id": "1"}).text


@pytest.fixture
def alice(services):
    """A key and the headers with its secret."""
    new = KeyStore(services.database).create("alice", scopes=[Scope.READ, Scope.WRITE], now_s=1.0)
    return new.key.owner.id, {"Authorization": f"Bearer {new.secret}"}


def test_a_stream_and_a_long_poll_end_when_their_key_is_revoked(services, start, alice):
    key_id, headers = alice
    _, client = start(services)
    client.headers.update(headers)
    links = submit(client)["links"]
    with client.stream("GET", links["events"]) as answer, ThreadPoolExecutor(1) as pool:
        lines = answer.iter_lines()
        assert next(events(lines))[0] == "status"
        polled = pool.submit(client.get, f"{links['self']}?wait=60")
        KeyStore(services.database).revoke(key_id, now_s=2.0)
        assert list(events(lines)) == []
        assert polled.result(30).status_code == 401


def test_who_needed_no_key_is_told_nothing_more_once_there_is_one(services, start, request):
    _, client = start(services)
    with client.stream("GET", submit(client)["links"]["events"]) as answer:
        lines = answer.iter_lines()
        assert next(events(lines))[0] == "status"
        request.getfixturevalue("alice")
        assert list(events(lines)) == []


def test_head_of_a_stream_does_not_begin_one(services, start):
    _, client = start(services)
    answer = client.head(submit(client)["links"]["events"])
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_there_are_so_many_streams_and_no_more_until_one_is_closed(services, start):
    limits = WatchLimits(total=3, per_owner=2)
    _, client = start(replace(services, watches=limits))
    path = submit(client)["links"]["events"]
    with ExitStack() as stack:
        opened = [stack.enter_context(client.stream("GET", path)) for _ in range(2)]
        lines = [answer.iter_lines() for answer in opened]  # dropping one would close its stream
        for some in lines:
            next(events(some))
        refused = client.get(path)
        assert refused.status_code == 429
        assert "retry-after" in refused.headers
        assert refused.json()["type"] == "urn:sightline:problem:too-many-streams"
    until = time.monotonic() + 30
    while (again := client.get(f"{path.removesuffix('/events')}?wait=0.01")).status_code == 429:
        assert time.monotonic() < until, "the closed streams are still counted"
    assert again.status_code == 200


def test_the_server_ends_at_once_though_clients_wait(services, start):
    server, client = start(services)
    job = submit(client)
    with client.stream("GET", job["links"]["events"]) as answer:
        lines = answer.iter_lines()
        next(events(lines))
        server.should_exit = True
        assert list(events(lines)) == []


def test_answers_are_sent_at_once():
    with listen_tcp("127.0.0.1", 0) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP, "what asyncio goes by"


def test_an_address_that_is_taken_is_told():
    with listen_tcp("127.0.0.1", 0) as listener, pytest.raises(OutputError, match="another port"):
        listen_tcp("127.0.0.1", listener.getsockname()[1])
