"""The tus protocol, version 1.0.0, rule by rule, and what an attacker would try."""

import base64
import dataclasses
import hashlib
from email.utils import parsedate_to_datetime

import pytest

from sightline.service.keys import KeyStore
from sightline.service.owner import Scope
from sightline.service.uploads import UploadLimits, Uploads

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def small(services):
    """Services that take uploads of up to 1000 bytes."""
    limits = UploadLimits(upload_bytes=1000, open_uploads=5, free_bytes=0)
    uploads = Uploads(services.database, services.storage, limits=limits)
    return dataclasses.replace(services, uploads=uploads)


@pytest.fixture
def client(small, connect):
    return connect(small)


def begin(client, length=10, **headers):
    answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": str(length), **headers})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def patch(client, place, offset, content, **headers):
    return client.request(
        "PATCH", place, content=content, headers={**BYTES, "Upload-Offset": str(offset), **headers}
    )


def offset(client, place):
    answer = client.request("HEAD", place, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def checksum(content, algorithm="sha1"):
    digest = hashlib.new(algorithm, content).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


def test_an_upload_comes_in_pieces(client, services):
    place = begin(client, 10)
    first = patch(client, place, 0, b"0123")
    assert (first.status_code, first.headers["upload-offset"]) == (204, "4")
    assert first.headers["tus-resumable"] == "1.0.0"
    assert "GMT" in first.headers["upload-expires"]
    assert offset(client, place) == 4
    assert patch(client, place, 4, b"456789").headers["upload-offset"] == "10"
    assert services.storage.upload(place.rpartition("/")[2]).read_bytes() == b"0123456789"


def test_an_upload_is_kept_from_its_last_byte_on_however_long_it_took(services, connect):
    now_s = [1e9]
    uploads = Uploads(services.database, services.storage, clock=lambda: now_s[0])
    client = connect(dataclasses.replace(services, uploads=uploads))
    place = begin(client, 6)

    async def body():
        yield b"abc"
        now_s[0] += 25 * 3600
        yield b"def"

    answer = patch(client, place, 0, body())
    assert answer.status_code == 204
    assert parsedate_to_datetime(answer.headers["upload-expires"]).timestamp() == now_s[0] + 86400
    assert uploads.expire(now_s[0] + 86399) == 0
    head = client.request("HEAD", place, headers=TUS)
    assert head.headers["upload-expires"] == answer.headers["upload-expires"]


def test_the_server_says_what_it_can(client):
    answer = client.request("OPTIONS", "/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "1000"
    assert "checksum" in answer.headers["tus-extension"].split(",")
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


def test_head_tells_length_and_name_and_is_not_kept_in_caches(client):
    name = base64.b64encode("tür 1.mp4".encode()).decode()
    place = begin(client, 10, **{"Upload-Metadata": f"filetype dmlkZW8=,filename {name}"})
    answer = client.request("HEAD", place, headers=TUS)
    assert answer.headers["upload-length"] == "10"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["upload-metadata"] == f"filename {name}"


def test_a_name_with_a_path_is_cut_to_its_last_part(client):
    name = base64.b64encode(b"../../../etc/passwd\0\n").decode()
    place = begin(client, 10, **{"Upload-Metadata": f"filename {name}"})
    shown = client.request("HEAD", place, headers=TUS).headers["upload-metadata"]
    assert base64.b64decode(shown.partition(" ")[2]) == b"passwd"


def test_another_offset_than_the_uploads_is_a_conflict(client):
    place = begin(client)
    for wrong in (1, 10, 11):
        answer = patch(client, place, wrong, b"a")
        assert answer.status_code == 409
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert answer.json()["type"] == "urn:sightline:problem:upload-offset"
    assert offset(client, place) == 0


def test_another_type_of_content_is_refused(client):
    place = begin(client)
    answer = patch(client, place, 0, b"a", **{"Content-Type": "application/octet-stream"})
    assert answer.status_code == 415
    assert offset(client, place) == 0


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.2.2"}])
def test_another_version_of_the_protocol_is_refused(client, method, version):
    place = begin(client)
    answer = client.request(method, place, headers=version)
    assert answer.status_code == 412
    assert answer.headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize("length", ["", "-1", "ten", "1.5", "٣", "9" * 40, "1e3"])
def test_a_length_that_is_no_number_is_refused(client, length):
    headers = {**TUS, "Upload-Length": length.encode()}
    assert client.post("/v1/uploads", headers=headers).status_code == 400


def test_an_unknown_length_is_refused(client):
    answer = client.post("/v1/uploads", headers={**TUS, "Upload-Defer-Length": "1"})
    assert answer.status_code == 400


@pytest.mark.parametrize("name", [b"%%%", b"\xe4"])
def test_metadata_that_is_not_base64_is_refused(client, name):
    headers = {**TUS, "Upload-Length": "10", "Upload-Metadata": b"filename " + name}
    assert client.post("/v1/uploads", headers=headers).status_code == 400


@pytest.mark.parametrize("digest", [b"%%%", b"\xe4"])
def test_a_checksum_that_is_not_base64_is_refused(client, digest):
    place = begin(client)
    answer = patch(client, place, 0, b"0123", **{"Upload-Checksum": b"sha1 " + digest})
    assert answer.status_code == 400
    assert offset(client, place) == 0


def test_an_upload_that_is_too_large_is_refused_at_once(client):
    answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "1001"})
    assert answer.status_code == 413


def test_more_than_the_length_is_refused_whether_or_not_it_is_announced(client):
    place = begin(client, 10)
    assert patch(client, place, 0, b"x" * 11).status_code == 413
    assert offset(client, place) == 0

    async def unannounced():
        yield b"y" * 8
        yield b"y" * 8

    assert patch(client, place, 0, unannounced()).status_code == 413
    assert offset(client, place) == 8, "what fitted may stay"
    assert patch(client, place, 8, b"zz").status_code == 204


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_checksum_is_compared(client, algorithm):
    place = begin(client, 10)
    assert patch(client, place, 0, b"01234", **checksum(b"01234", algorithm)).status_code == 204
    wrong = patch(client, place, 5, b"56789", **checksum(b"5678x", algorithm))
    assert wrong.status_code == 460
    assert wrong.json()["type"] == "urn:sightline:problem:checksum-mismatch"
    assert offset(client, place) == 5, "nothing of a wrong body stays"
    assert patch(client, place, 5, b"56789", **checksum(b"56789", algorithm)).status_code == 204


@pytest.mark.parametrize("given", ["crc32 AAAA", "sha1", "sha1 %%%", ""])
def test_a_checksum_that_cannot_be_compared_is_refused(client, given):
    place = begin(client, 10)
    answer = patch(client, place, 0, b"0", **{"Upload-Checksum": given})
    assert answer.status_code in (400, 460)
    assert offset(client, place) == 0


def test_the_beginning_may_come_with_the_creation(client):
    headers = {**BYTES, "Upload-Length": "10"}
    answer = client.post("/v1/uploads", headers=headers, content=b"0123")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "4")
    assert offset(client, answer.headers["location"]) == 4


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"01234", checksum(b"other"), 460),
        (b"x" * 11, {}, 413),
    ],
)
def test_an_upload_whose_beginning_is_refused_is_not_kept(
    client, services, content, headers, status
):
    for _ in range(6):  # one more than there may be
        answer = client.post(
            "/v1/uploads", content=content, headers={**BYTES, "Upload-Length": "10", **headers}
        )
        assert answer.status_code == status
    assert not list((services.storage.root / "uploads").iterdir())
    begin(client, 10)


def test_a_deleted_upload_is_gone_with_its_bytes(client, services):
    place = begin(client, 10)
    patch(client, place, 0, b"0123")
    assert client.request("DELETE", place, headers=TUS).status_code == 204
    assert client.request("HEAD", place, headers=TUS).status_code == 404
    assert patch(client, place, 4, b"4").status_code == 404
    assert not services.storage.upload(place.rpartition("/")[2]).exists()


def test_clients_that_can_only_post_name_the_method(client):
    place = begin(client, 10)
    headers = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.post(place, headers=headers, content=b"012").status_code == 204
    headers = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert client.post(place, headers=headers).status_code == 204
    assert client.post(place, headers=TUS).status_code == 405


@pytest.mark.parametrize(
    "name", ["nothing", "..", "%2e%2e%2fserver.secret", "a" * 500, "A", "%00", "x%0a"]
)
def test_whatever_is_asked_for_no_file_but_an_upload_is_found(client, name):
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {**BYTES, "Upload-Offset": "0"}
        assert client.request(method, f"/v1/uploads/{name}", headers=headers).status_code in (
            404,
            405,
        )


def test_an_upload_is_nobody_elses(client, services):
    keys = KeyStore(services.database)
    ann, bob = (keys.create(name, scopes=[Scope.WRITE], now_s=1.0) for name in ("ann", "bob"))
    hers, his = ({"X-API-Key": key.secret} for key in (ann, bob))
    place = begin(client, 10, **hers)
    assert client.request("HEAD", place, headers={**TUS, **his}).status_code == 404
    assert patch(client, place, 0, b"evil", **his).status_code == 404
    assert client.request("DELETE", place, headers={**TUS, **his}).status_code == 404
    assert patch(client, place, 0, b"mine", **hers).status_code == 204


def test_an_owner_has_so_many_uploads_and_bytes(client):
    places = [begin(client, 10) for _ in range(5)]
    refused = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "1"})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    client.request("DELETE", places[0], headers=TUS)
    begin(client, 10)


def test_a_disk_without_room_is_told(services, connect):
    limits = UploadLimits(free_bytes=2**62)
    uploads = Uploads(services.database, services.storage, limits=limits)
    client = connect(dataclasses.replace(services, uploads=uploads))
    answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "1"})
    assert answer.status_code == 507
