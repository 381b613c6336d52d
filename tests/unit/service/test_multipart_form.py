"""The parser of forms, without a server: whatever comes, in whatever pieces."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.service.multipart import _Form
from sightline.service.problems import ProblemError

CONTENT = bytes(range(256)) * 5 + b"\r\n--edge-not\r\n"


def part(name, content, *, filename=None, headers=b""):
    disposition = b'Content-Disposition: form-data; name="%s"' % name
    if filename is not None:
        disposition += b'; filename="%s"' % filename
    return b"--edge\r\n" + disposition + b"\r\n" + headers + b"\r\n" + content + b"\r\n"


def parsed(body, pieces=None):
    form = _Form(b"edge")
    for piece in pieces or [body]:
        form.feed(piece)
    return form


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_a_form_is_the_same_in_whatever_pieces_it_comes(cuts):
    body = part(b"job", b'{"a": 1}') + part(b"file", CONTENT, filename=b"a.mp4") + b"--edge--\r\n"
    places = [0, *sorted(cut % len(body) for cut in cuts), len(body)]
    form = parsed(body, [body[a:b] for a, b in pairwise(places)])
    assert form.fields == {"job": '{"a": 1}'}
    assert form.file_name == "a.mp4"
    assert b"".join(form.taken_file_pieces()) == CONTENT
    assert form.ended


@given(st.binary(max_size=400))
def test_whatever_comes_is_a_form_or_a_problem(garbage):
    for body in (garbage, part(b"file", garbage) + garbage, b"--edge\r\n" + garbage):
        with suppress(ProblemError):
            parsed(body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (part(b"a", b"1") + part(b"a", b"2"), 400),
        (part(b"", b"1"), 400),
        (part(b"file", b"1") + part(b"file", b"2"), 400),
        (part(b"a", b"\xff\xfe"), 400),
        (b"--edge\r\n\r\ncontent\r\n", 400),
        (part(b"a", b"x" * 300_000), 413),
        (b"".join(part(b"n%d" % n, b"x" * 20_000) for n in range(15)), 413),
        (b"".join(part(b"n%d" % n, b"") for n in range(30)), 413),
        (b"--edge\r\nContent-Disposition: " + b"x" * 10_000, 400),
        (b"--edge\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)), 400),
        (part(b"a" * 5000, b"1"), 400),
    ],
)
def test_a_form_that_is_wrong_or_too_large_is_refused(body, status):
    with pytest.raises(ProblemError) as caught:
        parsed(body + b"\r\n--edge--\r\n")
    assert caught.value.status == status


def test_a_form_that_breaks_off_has_not_ended():
    assert not parsed(part(b"file", CONTENT)).ended


def test_a_boundary_without_end_is_refused():
    with pytest.raises(ProblemError):
        _Form(b"x" * 1000)
