"""Downloads from servers that are slow, broken, or lie."""

import gzip
import hashlib
import itertools
import os
import threading

import pytest

from sightline.fetch.download import DownloadLimits, download
from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.post import post

BODY = os.urandom(300_000)
TAG = '"v1"'


def head(status="200 OK", **headers):
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode()


def limits(**changes):
    return DownloadLimits(**{"retry_delay_s": 0.0, "keep_free_bytes": 0, **changes})


@pytest.fixture
def to(tmp_path):
    return tmp_path / "source"


@pytest.fixture
def fetch(to, loopback):
    def fetch(server, **changes):
        return download(server.url(), to, policy=loopback, limits=limits(**changes))

    return fetch


@pytest.fixture
def failure(fetch, to):
    def failure(server, **changes):
        with pytest.raises(FetchError) as caught:
            fetch(server, **changes)
        assert not list(to.parent.iterdir()), "nothing is left behind"
        return caught.value

    return failure


def test_a_file_arrives_whole_and_is_described(serve, to, loopback):
    def answer(request):
        assert "Accept-Encoding: identity" in request
        disposition = 'attachment; filename="../../etc/pass wd.mp4"'
        kind = "video/mp4; codecs=avc1"
        yield (
            head(Content_Length=len(BODY), Content_Type=kind, Content_Disposition=disposition)
            + BODY
        )

    seen = []
    done = download(
        serve(answer).url(),
        to,
        policy=loopback,
        limits=limits(),
        on_progress=lambda size, total: seen.append((size, total)),
    )
    assert to.read_bytes() == BODY
    assert done.size == len(BODY)
    assert done.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (done.name, done.content_type) == ("pass wd.mp4", "video/mp4")
    assert seen[-1] == (len(BODY), len(BODY))
    assert [path.name for path in to.parent.iterdir()] == ["source"]


def test_a_file_is_named_by_its_address_where_nothing_else_is_said(serve, to, loopback):
    server = serve(lambda request: [head(Content_Length=1), b"x"])
    url = server.url("/a/%2e%2e%2fsome%00%20name.mp4?token=secret")
    assert download(url, to, policy=loopback, limits=limits()).name == "some name.mp4"


def test_a_file_in_pieces_arrives_whole(serve, fetch, to):
    def answer(request):
        yield head(Transfer_Encoding="chunked")
        for start in range(0, len(BODY), 7000):
            piece = BODY[start : start + 7000]
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"

    assert fetch(serve(answer)).size == len(BODY)
    assert to.read_bytes() == BODY


def test_a_stated_size_beyond_the_limit_is_refused_at_once(serve, failure):
    error = failure(serve(lambda request: [head(Content_Length=10**15)]), max_bytes=1000)
    assert error.code is FetchCode.TOO_LARGE
    assert not error.again


@pytest.mark.parametrize("headers", [{}, {"Transfer_Encoding": "chunked"}])
def test_a_body_without_end_is_cut_off_at_the_limit(serve, failure, headers):
    def answer(request):
        yield head(**headers)
        block = bytes(65536)
        while True:
            yield b"10000\r\n%b\r\n" % block if headers else block

    assert failure(serve(answer), max_bytes=10**6).code is FetchCode.TOO_LARGE


def test_a_body_is_not_read_beyond_its_stated_size(serve, fetch, to):
    server = serve(lambda request: [head(Content_Length=1000), BODY])
    assert fetch(server).size == 1000
    assert to.read_bytes() == BODY[:1000]


def test_a_broken_connection_is_taken_up_again_where_it_ended(serve, fetch, to):
    def answer(request):
        if "Range" not in request:
            yield head(Content_Length=len(BODY), ETag=TAG) + BODY[:100_000]
            return
        assert f"If-Range: {TAG}\r\n" in request
        start = int(request.partition("bytes=")[2].partition("-")[0])
        end = min(len(BODY), start + 150_000)
        span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        yield head("206 Partial Content", Content_Length=len(BODY) - start, Content_Range=span)
        yield BODY[start:end]

    server = serve(answer)
    assert fetch(server).sha256 == hashlib.sha256(BODY).hexdigest()
    assert to.read_bytes() == BODY
    assert len(server.requests) == 3


def test_a_file_that_has_changed_meanwhile_is_fetched_from_the_beginning(serve, fetch, to):
    other = os.urandom(1000)

    def answer(request):
        if "Range" in request:
            yield head(Content_Length=len(other), ETag='"v2"') + other
        else:
            yield head(Content_Length=len(BODY), ETag=TAG) + BODY[:100_000]

    assert fetch(serve(answer)).sha256 == hashlib.sha256(other).hexdigest()
    assert to.read_bytes() == other


@pytest.mark.parametrize("tag", [{}, {"ETag": 'W/"v1"'}])
def test_without_a_strong_validator_everything_is_fetched_again(serve, fetch, to, tag):
    counter = itertools.count()

    def answer(request):
        assert "Range" not in request
        end = 100_000 if next(counter) == 0 else len(BODY)
        yield head(Content_Length=len(BODY), **tag) + BODY[:end]

    assert fetch(serve(answer)).size == len(BODY)
    assert to.read_bytes() == BODY


def test_a_rest_that_does_not_fit_is_refused(serve, failure):
    def answer(request):
        if "Range" in request:
            yield head("206 Partial Content", Content_Range="bytes 0-9/10", Content_Length=10)
            yield b"x" * 10
        else:
            yield head(Content_Length=len(BODY), ETag=TAG) + BODY[:100_000]

    assert failure(serve(answer)).code is FetchCode.BAD_STATUS


def test_a_connection_that_always_breaks_off_is_given_up(serve, failure):
    server = serve(lambda request: [head(Content_Length=len(BODY)), BODY[:100]])
    error = failure(server, attempts=3)
    assert error.code is FetchCode.INTERRUPTED
    assert error.again
    assert len(server.requests) == 3


def test_a_compressed_body_is_refused_before_anything_is_unpacked(serve, failure):
    bomb = gzip.compress(bytes(10**7))

    def answer(request):
        yield head(Content_Length=len(bomb), Content_Encoding="gzip") + bomb

    error = failure(serve(answer))
    assert error.code is FetchCode.BAD_ANSWER
    assert "compressed" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        ("404 Not Found", FetchCode.NOT_FOUND, False),
        ("410 Gone", FetchCode.NOT_FOUND, False),
        ("401 Unauthorized", FetchCode.BAD_STATUS, False),
        ("429 Too Many Requests", FetchCode.BAD_STATUS, True),
        ("503 Unavailable", FetchCode.BAD_STATUS, True),
        ("302 Found", FetchCode.BAD_STATUS, False),
    ],
)
def test_a_bad_status_is_told(serve, failure, status, code, again):
    error = failure(serve(lambda request: [head(status, Content_Length=0)]))
    assert (error.code, error.again) == (code, again)


def test_a_server_that_says_nothing_is_given_up(serve, failure):
    released = threading.Event()

    def answer(request):
        released.wait(30)
        yield b""

    error = failure(serve(answer), read_timeout_s=0.3)
    released.set()
    assert error.code is FetchCode.TOO_SLOW
    assert error.again


def test_a_head_that_comes_byte_by_byte_is_given_up(serve, failure):
    released = threading.Event()

    def answer(request):
        yield b"HTTP/1.1 200 OK\r\n"
        while not released.wait(0.05):
            yield b"X-Wait: 1\r\n"

    error = failure(serve(answer), read_timeout_s=0.3)
    released.set()
    assert error.code is FetchCode.TOO_SLOW


def test_a_body_that_only_trickles_is_given_up(serve, failure):
    released = threading.Event()

    def answer(request):
        yield head(Content_Length=10**6)
        while not released.wait(0.02):
            yield b"x"

    error = failure(serve(answer), speed_window_s=0.3)
    released.set()
    assert error.code is FetchCode.TOO_SLOW
    assert "too slowly" in str(error)


def test_a_download_that_takes_too_long_in_all_is_given_up(serve, failure):
    released = threading.Event()

    def answer(request):
        yield head(Content_Length=10**6)
        while not released.wait(0.02):
            yield b"x"

    error = failure(serve(answer), total_timeout_s=0.5)
    released.set()
    assert error.code is FetchCode.TOO_SLOW


def test_a_stalled_download_hears_that_it_is_to_end(serve, to, loopback):
    released = threading.Event()

    class StopError(Exception):
        pass

    def answer(request):
        yield head(Content_Length=10**6) + b"x" * 100
        released.wait(30)

    calls = []

    def stop_when_stalled(size, total):
        calls.append(size)
        if calls.count(100) > 1:
            raise StopError

    with pytest.raises(StopError):
        download(
            serve(answer).url(),
            to,
            policy=loopback,
            limits=limits(),
            on_progress=stop_when_stalled,
        )
    released.set()
    assert not list(to.parent.iterdir())


def test_a_full_disk_is_noticed_before_it_is_full(serve, failure):
    server = serve(lambda request: [head(Content_Length=10), b"x" * 10])
    error = failure(server, keep_free_bytes=2**60)
    assert error.code is FetchCode.NO_SPACE
    assert error.again


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_http_is_refused(serve, failure, answer):
    assert failure(serve(lambda request: [answer])).code is FetchCode.BAD_ANSWER


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "503 Unavailable", "302 Found"])
def test_no_message_tells_a_password_or_a_query(serve, to, loopback, status):
    def answer(request):
        yield head(status, Content_Length=10**6, Location="http://ann:geheim@[::1]/?geheim")

    url = serve(answer).url("/a?token=geheim").replace("://", "://ann:geheim@")
    with pytest.raises(FetchError) as caught:
        download(url, to, policy=loopback, limits=limits(attempts=1))
    error: BaseException | None = caught.value
    while error is not None:
        assert "geheim" not in repr(error)
        error = error.__cause__


def test_a_post_to_a_server_that_says_nothing_ends(serve, loopback):
    released = threading.Event()

    def answer(request):
        released.wait(30)
        yield b""

    with pytest.raises(FetchError) as caught:
        post(serve(answer).url(), content=b"", headers={}, policy=loopback, timeout_s=0.3)
    released.set()
    assert caught.value.code is FetchCode.TOO_SLOW
