"""Names that servers give their files: the usual forms are read, and nothing is a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.fetch.filename import filename_of


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a b.mp4"', "a b.mp4"),
        ("attachment; filename=a.mp4", "a.mp4"),
        ("attachment; FileName = a.mp4 ; size=3", "a.mp4"),
        ('inline; filename="../../etc/passwd"', "passwd"),
        (r'inline; filename="C:\videos\a.mp4"', "a.mp4"),
        (r'inline; filename="say \"hi\";.mp4"', 'say "hi";.mp4'),
        ("attachment; filename=\"plain.mp4\"; filename*=UTF-8'en'caf%C3%A9.mp4", "café.mp4"),
        ("attachment; filename*=iso-8859-1''caf%E9.mp4", "café.mp4"),
        ("attachment; filename*=UTF-8''%2e%2e%2fa.mp4", "a.mp4"),
        ("attachment; filename*=UTF-8''%ff%00.mp4", "\ufffd.mp4"),
        ("attachment; filename*=undefined''x; filename=\"plain.mp4\"", "plain.mp4"),
        ("attachment; filename*=idna''%ff", "last.mp4"),
        ("attachment; filename*=x; filename*0=y", "last.mp4"),
        ('attachment; filename="open', "last.mp4"),
        ("attachment; filename=", "last.mp4"),
        ("attachment", "last.mp4"),
        ("", "last.mp4"),
    ],
)
def test_a_name_is_read_or_taken_from_the_path(disposition, name):
    assert filename_of(disposition, "/a/last.mp4?token=secret") == name


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_header_gives_a_printable_name_without_folders(text, target):
    for disposition in (text, f"a; filename={text}", f"a; filename*=utf-8''{text}"):
        name = filename_of(disposition, target)
        assert name.isprintable()
        assert "/" not in name
        assert len(name) <= 200


@pytest.mark.parametrize(
    "part", ['"', ";", "; ", ' filename="\\"', "; filename*=utf-8'a", '; filename="', "; filename"]
)
def test_a_long_header_costs_no_more_than_its_length(part):
    """It would take hours if it cost its square, as with the parser of the standard library."""
    rubbish = part * (2**21 // len(part))
    for disposition in (f"a; filename={rubbish}", f"a;{rubbish}"):
        assert len(filename_of(disposition, "/a.mp4")) <= 200
