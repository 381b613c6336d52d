"""Events out of bytes, wherever these are cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.remote_job import job_document

from sightline.client.answers import RemoteJob
from sightline.client.events import EventReader
from sightline.errors import ServiceError

NAME = "Straße\u2028\u2029\x85.mp4"
"""With signs at which `str.splitlines` splits, and httpx does."""


def event(ending, **changes):
    """Give the bytes of an event, with no escapes but those that JSON needs, as services do."""
    data = json.dumps(job_document(**changes), ensure_ascii=False)
    return ending.join(["event: status", "id: 4", f"data: {data}", "", ""]).encode()


def test_events_are_jobs_and_comments_are_nothing():
    reader = EventReader()
    assert reader.feed(b"retry: 2000\n\n: still here\n\nevent: done\nid: 4\n") == []
    data = json.dumps(job_document(version=4)).encode()
    assert reader.feed(b"data: " + data + b"\n") == []
    (job,) = reader.feed(b"\n")
    assert isinstance(job, RemoteJob)
    assert job.version == 4


@given(
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(min_value=0, max_value=600), max_size=12),
)
def test_only_line_ends_end_lines_wherever_the_bytes_are_cut(ending, cuts):
    sent = event(ending, version=1) + event(ending, version=2, source={"name": NAME}) + b": end"
    places = [0, *sorted(cuts), len(sent)]
    reader = EventReader()
    pieces = [sent[start:end] for start, end in pairwise(places)]
    seen = [job for piece in pieces for job in reader.feed(piece)]
    assert [(job.version, job.source_name) for job in seen] == [(1, "street.mp4"), (2, NAME)]


def test_data_in_several_lines_are_put_together():
    before, after = json.dumps(job_document()).split(", ", 1)
    (job,) = EventReader().feed(f"data: {before},\ndata:{after}\n\n".encode())
    assert job.id == "j1"


@pytest.mark.parametrize("data", ["<html>", "{", "\u2028", "[]", "4"])
def test_an_event_that_is_no_job_is_an_error(data):
    with pytest.raises(ServiceError, match="no job"):
        EventReader().feed(f"data: {data}\n\n".encode())


def test_what_came_instead_of_a_job_is_told_in_one_line():
    with pytest.raises(ServiceError) as caught:
        EventReader().feed(b"data: <html>\ndata: " + bytes(range(0x61, 0x7B)) * 9 + b"\n\n")
    told = str(caught.value)
    assert r"'<html>\nabcdef" in told
    assert len(told) < 200
    assert "\n" not in told
