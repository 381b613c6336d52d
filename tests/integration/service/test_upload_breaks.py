"""Uploads whose connection, client or server goes away in the middle."""

import fcntl
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.integration.service.served import (
    drip,
    make_services,
    receive_head,
    served,
    wait_for,
)

from sightline.jobs.sql.database import DatabaseError
from sightline.service.body import Pace
from sightline.service.keys import KeyStore
from sightline.service.owner import Scope
from sightline.service.uploads import UploadLimits

TUS = {"Tus-Resumable": "1.0.0"}
hasty = pytest.mark.parametrize("pace", [Pace(pause_s=2.0, bytes_per_s=10_000)])
CONTENT = bytes(range(256)) * 40_000  # 10 MB
KILLS = 3


@pytest.fixture
def pace():
    return Pace()


@pytest.fixture
def services(tmp_path, pace):
    services = make_services(tmp_path, limits=UploadLimits(free_bytes=0, pace=pace))
    yield services
    services.database.close()


@pytest.fixture
def address(services):
    with served(services) as address:
        yield address


def ask(address, method, path, **headers):
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request(method, path, headers={**TUS, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def begin(address, **headers):
    answer = ask(address, "POST", "/v1/uploads", **{"Upload-Length": str(len(CONTENT))}, **headers)
    assert answer.status == 201
    return answer.headers["location"]


def offset(address, place):
    return int(ask(address, "HEAD", place).headers["upload-offset"])


def start_patch(address, place, *, at, length=None, **headers):
    """Open a connection and send the head of a PATCH; the body is up to the caller."""
    connection = socket.create_connection(address, timeout=20)
    lines = [
        f"PATCH {place} HTTP/1.1",
        "Host: localhost",
        "Tus-Resumable: 1.0.0",
        "Content-Type: application/offset+octet-stream",
        f"Upload-Offset: {at}",
        f"Content-Length: {len(CONTENT) - at if length is None else length}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection


def file_of(services, place):
    return services.storage.upload(place.rpartition("/")[2])


def is_locked(services, place):
    with file_of(services, place).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_what_arrived_before_a_client_left_stays(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as connection:
        connection.sendall(CONTENT[:3_000_000])
    wait_for(lambda: not is_locked(services, place) and offset(address, place) > 0)
    at = offset(address, place)
    assert at <= 3_000_000
    with start_patch(address, place, at=at) as connection:
        connection.sendall(CONTENT[at:])
        assert " 204 " in receive_head(connection)
    assert file_of(services, place).read_bytes() == CONTENT


def test_two_at_once_do_not_write_to_one_upload(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as first:
        first.sendall(CONTENT[:1000])
        wait_for(lambda: is_locked(services, place))
        with start_patch(address, place, at=0, length=1000) as second:
            second.sendall(CONTENT[:1000])
            assert " 423 " in receive_head(second)
        first.sendall(CONTENT[1000:])
        assert " 204 " in receive_head(first)
    assert file_of(services, place).read_bytes() == CONTENT


def test_another_process_does_not_write_to_it_either(services, address, tmp_path):
    place = begin(address)
    with served(make_services(tmp_path)) as other, start_patch(address, place, at=0) as first:
        first.sendall(CONTENT[:1000])
        wait_for(lambda: is_locked(services, place))
        with start_patch(other, place, at=0, length=1000) as second:
            assert " 423 " in receive_head(second)


def test_a_client_that_comes_back_ends_its_stale_request(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as stale:
        stale.sendall(CONTENT[:2_000_000])
        wait_for(lambda: file_of(services, place).stat().st_size > 0)
        at = offset(address, place)
        with start_patch(address, place, at=at) as connection:
            connection.sendall(CONTENT[at:])
            assert " 204 " in receive_head(connection)
    assert file_of(services, place).read_bytes() == CONTENT


def test_deleting_ends_the_request_that_writes(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as connection:
        connection.sendall(CONTENT[:1000])
        wait_for(lambda: is_locked(services, place))
        assert ask(address, "DELETE", place).status == 204
    assert not file_of(services, place).exists()


@pytest.fixture
def key(services):
    """A key and the header with its secret."""
    new = KeyStore(services.database).create("ann", scopes=[Scope.WRITE], now_s=1.0)
    return new.key.owner.id, {"X-API-Key": new.secret}


def test_a_key_that_is_revoked_ends_its_uploads_under_way(services, address, key):
    key_id, headers = key
    place = begin(address, **headers)
    with start_patch(address, place, at=0, **headers) as connection:
        connection.sendall(CONTENT[:1000])
        wait_for(lambda: is_locked(services, place))
        KeyStore(services.database).revoke(key_id, now_s=2.0)
        answer = drip(connection, CONTENT[:100], seconds=10).lower()
    assert answer.startswith(b"http/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert b"\r\ntus-resumable: 1.0.0\r\n" in answer
    wait_for(lambda: not is_locked(services, place))
    assert ask(address, "HEAD", place, **headers).status == 401


def test_who_needed_no_key_uploads_nothing_more_once_there_is_one(services, address, request):
    place = begin(address)
    with start_patch(address, place, at=0) as connection:
        connection.sendall(CONTENT[:1000])
        wait_for(lambda: is_locked(services, place))
        request.getfixturevalue("key")
        assert drip(connection, CONTENT[:100], seconds=10).startswith(b"HTTP/1.1 401 ")


def test_an_upload_goes_on_while_the_database_cannot_tell_of_its_key(
    services, address, key, monkeypatch
):
    _, headers = key
    place = begin(address, **headers)
    asked = []

    def fail(_store, key_ids):
        asked.append(key_ids)
        raise DatabaseError("it is away")

    monkeypatch.setattr(KeyStore, "active", fail)
    with start_patch(address, place, at=0, length=3000, **headers) as connection:
        sent = 0
        connection.settimeout(0.05)
        while len(asked) < 2:
            connection.sendall(CONTENT[sent : sent + 10])
            sent += 10
            with suppress(TimeoutError):
                pytest.fail(f"there is an answer: {connection.recv(4096)}")
        connection.sendall(CONTENT[sent:3000])
        assert " 204 " in receive_head(connection)
    assert file_of(services, place).read_bytes() == CONTENT[:3000]


@hasty
def test_a_body_that_stalls_is_given_up_and_what_arrived_stays(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as connection:
        connection.sendall(CONTENT[:5000])
        head = receive_head(connection)
        assert " 408 " in head
        assert "connection: close" in head.lower()
    assert offset(address, place) == 5000


@hasty
def test_a_body_that_drips_is_given_up(services, address):
    place = begin(address)
    with start_patch(address, place, at=0) as connection:
        connection.settimeout(0.05)
        head = b""
        for number in range(400):
            try:
                connection.sendall(CONTENT[number : number + 1])
                head += connection.recv(4096)
                break
            except TimeoutError:
                continue
        assert b" 408 " in head


def test_bytes_that_wait_for_their_checksum_do_not_stay_when_it_never_comes(services, address):
    place = begin(address)
    with start_patch(address, place, at=0, **{"Upload-Checksum": "sha1 AAAA"}) as connection:
        connection.sendall(CONTENT[:3_000_000])
        wait_for(lambda: file_of(services, place).stat().st_size > 0)
    wait_for(lambda: not is_locked(services, place))
    assert offset(address, place) == 0


@pytest.fixture
def start_server(tmp_path):
    """Start servers of one data folder, on one socket, as processes; killed at the end."""
    processes = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def start():
            code = [sys.executable, "-m", "tests.integration.service.served"]
            arguments = [str(tmp_path), str(listener.fileno())]
            process = subprocess.Popen([*code, *arguments], pass_fds=[listener.fileno()])
            processes.append(process)
            return process, listener.getsockname()

        yield start
        for process in processes:
            process.kill()
            process.wait()


def test_an_upload_goes_on_after_the_server_was_killed_again_and_again(
    start_server, services, tmp_path
):
    process, address = start_server()
    place = begin(address)
    at, kills = 0, 0
    while at < len(CONTENT):
        with start_patch(address, place, at=at) as connection:
            end = at + 4_000_000 if kills < KILLS else len(CONTENT)
            connection.sendall(CONTENT[at:end])
            if end >= len(CONTENT):
                assert " 204 " in receive_head(connection)
            else:
                wait_for(lambda at=at: file_of(services, place).stat().st_size > at)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                process, address = start_server()
                kills += 1
        at = offset(address, place)
    assert 2 <= kills <= KILLS
    stored = file_of(services, place).read_bytes()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(CONTENT).digest()


def test_bytes_without_their_checksum_do_not_count_after_a_kill(start_server, services):
    process, address = start_server()
    place = begin(address)
    with start_patch(address, place, at=0, length=1_000_000) as connection:
        connection.sendall(CONTENT[:1_000_000])
        assert " 204 " in receive_head(connection)
    with start_patch(
        address, place, at=1_000_000, **{"Upload-Checksum": "sha1 AAAA"}
    ) as connection:
        connection.sendall(CONTENT[1_000_000:4_000_000])
        wait_for(lambda: file_of(services, place).stat().st_size > 1_000_000)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _, address = start_server()
    assert offset(address, place) == 1_000_000
    with start_patch(address, place, at=1_000_000) as connection:
        connection.sendall(CONTENT[1_000_000:])
        assert " 204 " in receive_head(connection)
    assert file_of(services, place).read_bytes() == CONTENT
