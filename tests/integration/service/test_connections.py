"""Clients that hold connections: those that never ask, never finish, or never take the answer."""

import json
import socket
from contextlib import ExitStack, suppress

import pytest
from tests.integration.service.served import receive_head, wait_for

from sightline.service.application import make_application
from sightline.service.http_protocol import PatientProtocol

FILE_BYTES = 30_000_000
FOREIGN = b"POST /v1/jobs HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\n"
NOWHERE = b"POST /v1/uploadsX HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def server(services, serve):
    """The server and its address."""
    server, port = serve(make_application(services))
    return server, ("127.0.0.1", port)


@pytest.fixture
def crowded(services, serve, monkeypatch):
    """The address of a server that may have three connections, and has them."""
    monkeypatch.setattr("sightline.service.server._connections", lambda _: 3)
    _, port = serve(make_application(services))
    address = ("127.0.0.1", port)
    with ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(get("/livez"))
            assert " 200 " in receive_head(connection)
        yield address, stack


@pytest.fixture
def large_file(services, client):
    """Where a large file can be asked for."""
    answer = client.post("/v1/jobs", json={"source_url": "https://example.org/a.mp4"})
    results = services.storage.job(answer.json()["id"]).results
    results.mkdir(parents=True)
    (results / "mot.txt").write_bytes(bytes(FILE_BYTES))
    return f"{answer.headers['location']}/results/mot"


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def is_closed(connection):
    """Tell whether the server has closed a connection from which nothing else is to come."""
    connection.settimeout(0.02)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def unwilling(address, request):
    """Send a request whose answer is never read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(address)
    connection.sendall(request)
    return connection


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nhost: lo"])
def test_a_client_that_never_finishes_to_ask_is_disconnected(server, monkeypatch, beginning):
    monkeypatch.setattr(PatientProtocol, "HEAD_S", 0.2)
    with socket.create_connection(server[1], timeout=30) as connection:
        connection.sendall(beginning)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("request_", [FOREIGN, NOWHERE])
def test_a_body_is_not_awaited_for_long_when_its_request_was_answered(
    server, monkeypatch, request_
):
    monkeypatch.setattr(PatientProtocol, "REST_S", 0.2)
    with socket.create_connection(server[1]) as connection:
        connection.sendall(request_)
        assert receive_head(connection).startswith("HTTP/1.1 4")
        connection.recv(65536)

        def drips_in_vain():
            with suppress(ConnectionError):
                connection.sendall(b"x")
            return is_closed(connection)

        wait_for(drips_in_vain)


def test_after_a_body_that_nobody_wanted_the_connection_can_be_used_again(server):
    with socket.create_connection(server[1], timeout=30) as connection:
        connection.sendall(NOWHERE)
        assert " 404 " in receive_head(connection)
        connection.sendall(b"x" * 100_000 + get("/livez"))
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += connection.recv(65536)


def test_a_client_that_does_not_take_a_file_is_disconnected(server, large_file, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "SEND_S", 0.2)
    with unwilling(server[1], get(large_file)) as connection:
        receive_head(connection)
        state = server[0].server_state
        wait_for(lambda: not state.connections and not state.tasks)


def test_a_client_that_takes_no_answer_is_disconnected_even_when_all_are_written(
    server, monkeypatch
):
    monkeypatch.setattr(PatientProtocol, "SEND_S", 0.2)
    with unwilling(server[1], get("/openapi.json") * 200):
        state = server[0].server_state
        wait_for(lambda: state.connections)
        wait_for(lambda: not state.connections and not state.tasks)


def test_a_client_that_takes_a_file_gets_all_of_it(server, large_file):
    with unwilling(server[1], get(large_file)) as connection:
        connection.settimeout(30)
        received = 0
        while received < FILE_BYTES:
            piece = connection.recv(1 << 20)
            assert piece
            received += len(piece)


def test_who_comes_when_there_are_too_many_connections_is_told_so_as_of_any_error(crowded):
    address, others = crowded
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(get("/v1/jobs"))
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert {b"retry-after: 5", b"connection: close"} <= set(head.lower().splitlines())
    problem = json.loads(body)
    assert problem["type"] == "urn:sightline:problem:overloaded"
    assert problem["instance"].encode() in head.replace(b"x-request-id: ", b"urn:request:")
    others.close()

    def has_room():
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(get("/livez"))
            return " 200 " in receive_head(connection)

    wait_for(has_room)
