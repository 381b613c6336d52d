"""Forms with a file, over sockets: streamed to the disk, and nothing left of those that fail."""

import hashlib
import http.client
import json
import socket

import pytest
from fastapi import FastAPI, Request
from tests.integration.service import served as serving

from sightline.service.body import Pace
from sightline.service.gate import Gate
from sightline.service.keys import KeyStore
from sightline.service.multipart import receive_multipart
from sightline.service.owner import KeyLimits, Owner, Scope
from sightline.service.problems import add_problem_handlers
from sightline.service.uploads import UploadLimits

CONTENT = bytes(range(256)) * 20_000  # 5 MB
OWNER = Owner.of_local_user()


@pytest.fixture
def pace():
    return Pace()


@pytest.fixture
def services(tmp_path, pace):
    limits = UploadLimits(upload_bytes=len(CONTENT), free_bytes=0, pace=pace)
    services = serving.make_services(tmp_path, limits=limits)
    yield services
    services.database.close()


@pytest.fixture
def address(services, monkeypatch):
    monkeypatch.setattr(serving, "make_application", make_receiver)
    with serving.served(services) as address:
        yield address


def make_receiver(services):
    """Make an application that tells what it received."""
    application = FastAPI()

    @application.post("/v1/jobs")
    async def receive(request: Request) -> dict:
        form = await receive_multipart(
            request,
            services.uploads,
            request.state.identity.owner,
            authenticator=services.access.authenticator,
        )
        upload = form.upload
        return {
            "fields": form.fields,
            "sha256": form.sha256,
            "upload": None if upload is None else [upload.id, upload.name, upload.length],
        }

    add_problem_handlers(application)
    application.add_middleware(Gate, authenticator=services.access.authenticator)
    return application


def part(name, content, *, filename=None):
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return f"--edge\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"


def send(address, body, **headers):
    connection = http.client.HTTPConnection(*address, timeout=20)
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    connection.request("POST", "/v1/jobs", body=body, headers={**kind, **headers})
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    return answer.status, document


def stored(services):
    folder = services.storage.root / "uploads"
    return list(folder.iterdir()) if folder.exists() else []


def test_a_file_arrives_whole_beside_its_fields(services, address):
    body = part("job", b'{"labels": {}}') + part("file", CONTENT, filename="gate.mp4")
    status, answer = send(address, body + b"--edge--\r\n")
    assert status == 200
    assert answer["fields"] == {"job": '{"labels": {}}'}
    assert answer["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    upload_id, name, length = answer["upload"]
    assert (name, length) == ("gate.mp4", len(CONTENT))
    assert services.storage.upload(upload_id).read_bytes() == CONTENT
    assert services.uploads.claim(upload_id, OWNER, job_id="j") == "j"


def test_a_form_may_have_no_file(services, address):
    status, answer = send(address, part("job", b"{}") + b"--edge--\r\n")
    assert (status, answer["upload"]) == (200, None)
    assert stored(services) == []


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\etc\\passwd", "/etc/passwd", "C:\\x\\passwd"]
)
def test_a_file_name_with_a_path_is_only_a_name(services, address, name):
    name = name.replace("\\", "\\\\")
    status, answer = send(address, part("file", b"x", filename=name) + b"--edge--\r\n")
    assert (status, answer["upload"][1]) == (200, "passwd")
    assert stored(services) == [services.storage.upload(answer["upload"][0])]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (part("file", CONTENT), 400),  # no end
        (part("file", CONTENT) + part("file", b"2") + b"--edge--\r\n", 400),
        (part("file", CONTENT) + part("job", b"x" * 300_000) + b"--edge--\r\n", 413),
        (part("file", CONTENT + b"x") + b"--edge--\r\n", 413),
        (part("file", CONTENT) + b"--edge\r\n" + b"X" * 9000 + b": y\r\n\r\n--edge--\r\n", 400),
        (b"no form at all", 400),
    ],
)
def test_of_a_form_that_is_refused_nothing_stays(services, address, body, status):
    assert send(address, body)[0] == status
    assert stored(services) == []


def test_a_form_without_length_or_boundary_is_refused(address):
    assert send(address, iter([part("file", b"x") + b"--edge--\r\n"]))[0] == 411
    plain = {"Content-Type": "multipart/form-data"}
    assert send(address, b"x", **plain)[0] == 415


def test_a_form_that_is_too_large_is_refused_before_it_is_sent(address):
    with socket.create_connection(address, timeout=20) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n"
            "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert " 413 " in serving.receive_head(connection)


def test_an_owner_has_so_many_bytes_of_uploads(services, address):
    made = KeyStore(services.database).create(
        "small", scopes=[Scope.WRITE], limits=KeyLimits(upload_bytes=1000), now_s=1.0
    )
    body = part("file", b"x" * 600) + b"--edge--\r\n"
    assert send(address, body, **{"X-API-Key": made.secret})[0] == 200
    status, answer = send(address, body, **{"X-API-Key": made.secret})
    assert (status, answer["type"]) == (429, "urn:sightline:problem:quota-exceeded")


def test_a_file_may_have_all_bytes_of_its_owner_and_with_one_more_it_is_too_large(
    services, address
):
    made = KeyStore(services.database).create(
        "small", scopes=[Scope.WRITE], limits=KeyLimits(upload_bytes=1000), now_s=1.0
    )
    for size in (1001, 300_000):
        body = part("file", b"x" * size) + b"--edge--\r\n"
        status, answer = send(address, body, **{"X-API-Key": made.secret})
        assert (status, answer["type"]) == (413, "urn:sightline:problem:too-large")
        assert "1000 bytes" in answer["detail"]
    body = part("file", b"x" * 1000) + b"--edge--\r\n"
    assert send(address, body, **{"X-API-Key": made.secret})[0] == 200


@pytest.mark.parametrize("pace", [Pace(pause_s=2.0)])
@pytest.mark.parametrize("stays", [True, False], ids=["stalls", "leaves"])
def test_of_a_client_that_stalls_or_leaves_nothing_stays(services, address, stays):
    body = part("file", CONTENT)
    with socket.create_connection(address, timeout=20) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body) + 100}\r\n"
            "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:3_000_000])
        serving.wait_for(lambda: stored(services))
        if stays:
            assert " 408 " in serving.receive_head(connection)
    serving.wait_for(lambda: not stored(services))


def test_of_a_form_whose_key_is_revoked_meanwhile_nothing_stays(services, address):
    keys = KeyStore(services.database)
    made = keys.create("ann", scopes=[Scope.WRITE], now_s=1.0)
    body = part("file", CONTENT)
    with socket.create_connection(address, timeout=20) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body)}\r\nX-API-Key: {made.secret}\r\n"
            "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:3_000_000])
        serving.wait_for(lambda: stored(services))
        keys.revoke(made.key.owner.id, now_s=2.0)
        answer = serving.drip(connection, body[:100], seconds=10)
    assert answer.startswith(b"HTTP/1.1 401 ")
    serving.wait_for(lambda: not stored(services))
