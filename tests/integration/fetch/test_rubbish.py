"""Servers that answer with rubbish: what comes of it is a file or a `FetchError`, nothing else."""

import itertools
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.lengths import short_or_long

from sightline.fetch.download import DownloadLimits, download
from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.post import post

BODY = b"video" * 1000
EXAMPLES = short_or_long(250, 5000)
LIMITS = DownloadLimits(
    retry_delay_s=0.0, keep_free_bytes=0, attempts=2, read_timeout_s=5.0, max_bytes=100_000
)

# What the parsers of the standard library fail on.
BAD_LOCATIONS = ["http://[x", "//[", "//[x]:1/", "http://exa\u2100mple.org/", "http://a]b/"]
UNREADABLE_NAMES = [
    b"filename*=undefined''x",
    b"filename*=idna''%ff",
    b"filename*=punycode''%ff",
    b"filename*=u%00x''y",
    b"filename*=x; filename*0=y",
    b"filename*" + b"9" * 5000 + b"=x",
    b'filename="' + b";" * 90_000,
]

# Answers that are mostly HTTP, so that they get beyond its parser.
ODD_VALUES = {
    b"Content-Length": [b"0", b"-1", b"10", b"10, 10", b"\xd9\xa1", b"9" * 19, b"9" * 5000],
    b"Content-Range": [b"bytes 10-19/20", b"bytes " + b"9" * 5000 + b"-1/1", b"bytes */\xff"],
    b"Content-Type": [b"video/mp4; \xff", b";;;", b"a" * 60_000],
    b"Content-Encoding": [b"identity", b"gzip", b"\xff\x01"],
    b"Content-Disposition": [b"attachment; " + name for name in UNREADABLE_NAMES],
    b"Transfer-Encoding": [b"chunked", b"gzip, chunked", b"identity", b"chunked\xff"],
    b"Connection": [b"upgrade", b"close, \xff"],
    b"ETag": [b'"v1"', b'"v\xff\x01\x85"', b'"' + b"v" * 60_000 + b'"', b"W/", b'"v\r\n folded"'],
    b"Last-Modified": [b"yesterday", b"\xff"],
    b"Location": [*(location.encode() for location in BAD_LOCATIONS), b"/again", b"", b"\xff"],
    b"Retry-After": [b"9" * 5000, b"-1", b"\xff"],
}
STRANGE_NAMES = st.sampled_from([b"", b"X-\xff", b"X Y", b"a" * 120_000])
READABLE = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)
USUAL_NAMES = st.sampled_from(sorted(ODD_VALUES))
FIELDS = st.one_of(
    st.sampled_from([(name, value) for name, values in ODD_VALUES.items() for value in values]),
    USUAL_NAMES.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(ODD_VALUES[name]))),
    st.tuples(USUAL_NAMES, READABLE.map(lambda text: text.encode("latin-1"))),
    st.tuples(STRANGE_NAMES | USUAL_NAMES, st.binary(max_size=30)),
)
HEADERS = st.lists(FIELDS, max_size=3)
STATUSES = st.sampled_from([b"200", b"206", b"302", b"200", b"307", b"101", b"100", b"999", b"000"])
BODIES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"a\r\n0123456789\r\n0\r\n\r\n",
            b"a\r\n0123456789\r\n0\r\nX: \xff\r\n" * 3,
            b"f" * 20 + b"\r\n0123456789",
            b"f" * 5000 + b"\r\n",
            b"-1\r\n\r\n",
            b"a;" + b"x" * 90_000,
        ]
    ),
)
ANSWERS = st.builds(
    lambda status, headers, body: (
        b"HTTP/1.1 %b \xff\r\n" % status
        + b"".join(b"%b: %b\r\n" % header for header in headers)
        + b"\r\n"
        + body
    ),
    STATUSES,
    HEADERS,
    BODIES,
)


@pytest.fixture
def here(loopback):
    """A policy that lets no redirect leave this machine."""
    return replace(loopback, only_hosts=("127.0.0.1",))


@pytest.fixture
def to(tmp_path):
    return tmp_path / "source"


def whole(*headers):
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(BODY), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + BODY


@pytest.mark.parametrize("location", BAD_LOCATIONS)
def test_a_redirect_to_what_cannot_be_understood_is_refused(serve, to, here, location):
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    server = serve(lambda request: [head.encode()])
    with pytest.raises(FetchError, match="the URL cannot be used") as caught:
        download(server.url(), to, policy=here, limits=LIMITS)
    assert caught.value.code is FetchCode.BAD_URL
    assert not caught.value.again


@pytest.mark.parametrize("name", UNREADABLE_NAMES, ids=lambda name: name[:24].decode())
def test_a_file_whose_given_name_cannot_be_read_is_named_by_its_address(serve, to, here, name):
    server = serve(lambda request: [whole(b"Content-Disposition: attachment; " + name)])
    done = download(server.url("/a.mp4"), to, policy=here, limits=LIMITS)
    assert (done.size, done.name) == (len(BODY), "a.mp4")


def test_a_partial_answer_with_numbers_beyond_reason_is_refused(serve, to, here):
    span = b"9" * 5000

    def answer(request):
        if "Range" in request:
            yield b"HTTP/1.1 206 Partial\r\nContent-Range: bytes %b-1/1\r\n\r\n" % span
        else:
            yield whole(b'ETag: "v1"')[:-1]

    with pytest.raises(FetchError) as caught:
        download(serve(answer).url(), to, policy=here, limits=LIMITS)
    assert caught.value.code is FetchCode.BAD_STATUS


@pytest.mark.parametrize("known", [True, False])
def test_a_rest_that_ends_too_early_is_no_whole_file(serve, to, here, known):
    """It has no length of its own, so that only the size of the whole tells."""

    def answer(request):
        if "Range" in request:
            start = int(request.partition("bytes=")[2].partition("-")[0])
            span = b"bytes %d-%d/%d" % (start, len(BODY) - 1, len(BODY))
            yield b"HTTP/1.1 206 Partial Content\r\nContent-Range: %b\r\n\r\n" % span
            yield BODY[start : start + 100]
        elif known:
            yield whole(b'ETag: "v1"')[:-4000]
        else:
            yield b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n'
            yield b"3e8\r\n%b\r\n" % BODY[:1000]

    server = serve(answer)
    with pytest.raises(FetchError) as caught:
        download(server.url(), to, policy=here, limits=LIMITS)
    assert caught.value.code is FetchCode.INTERRUPTED
    patient = replace(LIMITS, attempts=100)
    download(server.url(), to, policy=here, limits=patient)
    assert to.read_bytes() == BODY


def test_the_size_of_a_body_in_pieces_is_not_believed(serve, to, here):
    def answer(request):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield b"1388\r\n%b\r\n0\r\n\r\n" % BODY

    totals = []
    done = download(
        serve(answer).url(),
        to,
        policy=here,
        limits=LIMITS,
        on_progress=lambda _size, total: totals.append(total),
    )
    assert done.size == len(BODY)
    assert set(totals) == {None}


def test_thousands_of_headers_are_read_or_refused_without_a_crash(serve, to, here):
    few = [b"X-%d: \xff" % number for number in range(3000)]
    download(serve(lambda request: [whole(*few)]).url(), to, policy=here, limits=LIMITS)
    assert to.read_bytes() == BODY
    many = few * 10
    with pytest.raises(FetchError) as caught:
        download(serve(lambda request: [whole(*many)]).url(), to, policy=here, limits=LIMITS)
    assert caught.value.code is FetchCode.BAD_ANSWER


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=2))
@example(answers=[whole(b'ETag: "v\xff\x01\x85"')[:-1], b"HTTP/1.1 206 \r\n\r\n"])
def test_any_answer_ends_as_a_file_or_as_a_fetch_error(rubbish_server, to, here, answers):
    url = rubbish_server.answering(answers)
    with suppress(FetchError):
        done = download(url, to, policy=here, limits=LIMITS)
        assert to.stat().st_size == done.size
        to.unlink()
    assert not list(to.parent.iterdir())
    url = rubbish_server.answering(answers)
    with suppress(FetchError):
        assert 100 <= post(url, content=b"{}", headers={}, policy=here, timeout_s=5.0) <= 999


@pytest.fixture
def rubbish_server(serve):
    """One server for all examples: `answering()` says what it answers from now on, in turns."""

    class RubbishServer:
        def __init__(self):
            self._turns = itertools.repeat(b"")
            self._server = serve(lambda request: [next(self._turns)])

        def answering(self, answers):
            self._server.hang_up()  # before there are more than one may have open
            self._turns = itertools.cycle(answers)
            return self._server.url()

    return RubbishServer()
