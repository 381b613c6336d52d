"""What the clients ask for, in which order, without asking: flows driven by hand."""

import io
import os
from itertools import chain

import httpx
import pytest
from tests.unit.client.remote_job import job_document

from sightline.client import calls
from sightline.client.answers import check, parse_job
from sightline.client.arrival import Arrival
from sightline.client.connection import connection_options
from sightline.client.options import JobOptions
from sightline.client.sources import describe_source
from sightline.errors import MediaError, ServiceError


def drive(flow, answers):
    """Carry out a flow with these answers; return what it asked for, and its result."""
    asked, waiting, answer = [], iter(answers), None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as end:
            assert next(waiting, None) is None, "an answer was not asked for"
            return asked, end.value
        asked.append(step)
        answer = None if isinstance(step, calls.Pause) else next(waiting)


def test_a_submission_names_its_key_and_returns_the_job():
    flow = calls.submit({"source_url": "https://x/y.mp4"}, idempotency_key="k")
    asked, job = drive(flow, [httpx.Response(202, json=job_document())])
    assert [(call.method, call.path) for call in asked] == [("POST", "/v1/jobs")]
    assert asked[0].headers["idempotency-key"] == "k"
    assert asked[0].json == {"source_url": "https://x/y.mp4"}
    assert (job.id, job.status, job.source_name) == ("j1", "queued", "street.mp4")


def test_a_busy_service_is_asked_again_after_as_long_as_it_says():
    busy = httpx.Response(503, headers={"retry-after": "7"})
    asked, _ = drive(calls.one_job("j1"), [busy, httpx.Response(200, json=job_document())])
    assert asked[1] == calls.Pause(seconds=7, reason="Service Unavailable")
    assert asked[0] == asked[2]


def test_a_service_that_stays_away_is_given_up():
    away = ServiceError("it cannot be reached")
    with pytest.raises(ServiceError, match="cannot be reached"):
        drive(calls.one_job("j1"), [away] * 8)


def test_pauses_grow_from_try_to_try():
    away = ServiceError("it cannot be reached")
    asked, _ = drive(calls.one_job("j1"), [away, away, httpx.Response(200, json=job_document())])
    pauses = [step.seconds for step in asked if isinstance(step, calls.Pause)]
    assert pauses == [0.25, 0.5]


def test_a_service_that_asks_for_much_patience_is_given_up():
    busy = httpx.Response(429, headers={"retry-after": "3600"}, text="")
    with pytest.raises(ServiceError) as caught:
        drive(calls.one_job("j1"), [busy])
    assert caught.value.status == 429


def test_an_answer_that_is_no_json_is_an_error():
    page = httpx.Response(200, text="<html>", request=httpx.Request("GET", "http://x/"))
    with pytest.raises(ServiceError, match="no job service"):
        drive(calls.one_job("j1"), [page])


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_an_action_gives_the_job_as_it_is_then(action):
    answer = httpx.Response(202, json=job_document(status="queued", version=7))
    asked, job = drive(calls.act("j1", action), [answer])
    assert [(call.method, call.path) for call in asked] == [("POST", f"/v1/jobs/j1/{action}")]
    assert job.version == 7


def test_a_retry_whose_answer_was_lost_has_taken_place():
    found = httpx.Response(200, json=job_document())
    answers = [ServiceError("it broke"), httpx.Response(409), found]
    _, job = drive(calls.act("j1", "retry"), answers)
    assert job.status == "queued"
    with pytest.raises(ServiceError):
        drive(calls.act("j1", "retry"), [httpx.Response(409)])


def test_a_deletion_whose_answer_was_lost_has_taken_place():
    drive(calls.delete("j1"), [ServiceError("it broke"), httpx.Response(404)])
    with pytest.raises(ServiceError):
        drive(calls.delete("j1"), [httpx.Response(404)])


def test_a_refusal_is_not_repeated():
    problem = {
        "type": "urn:sightline:problem:unknown-job",
        "title": "There is no such job",
        "status": 404,
    }
    response = httpx.Response(
        404, json=problem, headers={"content-type": "application/problem+json"}
    )
    with pytest.raises(ServiceError, match="There is no such job") as caught:
        drive(calls.one_job("j1"), [response])
    assert (caught.value.status, caught.value.code) == (404, "unknown-job")


def test_each_wrong_field_of_a_request_is_named():
    problem = {
        "title": "Invalid",
        "errors": [{"pointer": "/params/confidence", "detail": "2 is greater than 1"}],
    }
    with pytest.raises(ServiceError, match="/params/confidence: 2 is greater than 1"):
        check(httpx.Response(422, json=problem))


@pytest.mark.parametrize("pointer", ["", "/params/foo"])
def test_what_a_refusal_says_in_two_places_is_told_once(pointer):
    problem = {
        "title": "Invalid",
        "detail": "params: 'foo' was unexpected",
        "errors": [{"pointer": pointer, "detail": "'foo' was unexpected"}] * 2,
    }
    with pytest.raises(ServiceError) as caught:
        check(httpx.Response(422, json=problem))
    place = f"{pointer}: " if pointer else ""
    assert str(caught.value) == f"the service refused: Invalid - {place}'foo' was unexpected"


def test_a_reason_that_is_no_summary_of_what_is_wrong_is_told_too():
    problem = {"title": "Invalid", "detail": "look", "errors": [{"pointer": "/a", "detail": "b"}]}
    with pytest.raises(ServiceError, match="the service refused: Invalid - look - /a: b"):
        check(httpx.Response(422, json=problem))


def test_a_refusal_without_a_problem_document_is_an_error_all_the_same():
    with pytest.raises(ServiceError, match="Bad Gateway") as caught:
        check(httpx.Response(502, text="<html>"))
    assert caught.value.status == 502


def test_something_that_is_no_job_is_an_error():
    with pytest.raises(ServiceError, match="no job"):
        parse_job({"id": "j1"})


def test_waiting_polls_for_newer_versions_until_the_end():
    documents = [job_document(version=3), job_document(version=8, status="running")]
    documents.append(job_document(version=9, status="succeeded", terminal=True))
    asked, job = drive(calls.wait_for("j1"), [httpx.Response(200, json=d) for d in documents])
    polls = [step for step in asked if isinstance(step, calls.Call)]
    assert [call.params.get("version") for call in polls] == [None, 3, 8]
    assert polls[1].wait_s > 0
    assert job.succeeded


def test_waiting_for_long_asks_about_once_a_second_at_most():
    running = [job_document(version=version, status="running") for version in range(1, 30)]
    ended = job_document(version=30, status="failed", terminal=True)
    answers = [httpx.Response(200, json=document) for document in [*running, ended]]
    asked, _ = drive(calls.wait_for("j1"), answers)
    pauses = [step.seconds for step in asked if isinstance(step, calls.Pause)]
    assert pauses[0] < 0.1
    assert set(pauses[10:]) == {1.0}


def upload_answers(*, size):
    created = httpx.Response(201, headers={"location": "/v1/uploads/u1"})
    return [created, httpx.Response(204, headers={"upload-offset": str(size)})]


def test_an_upload_says_its_size_and_name_and_returns_its_own():
    asked, upload = drive(
        calls.upload(io.BytesIO(b"video"), name="strße.mp4", size=5), upload_answers(size=5)
    )
    assert upload == "u1"
    assert asked[0].headers["upload-length"] == "5"
    assert asked[0].headers["upload-metadata"] == "filename c3Ryw59lLm1wNA=="
    assert (asked[1].method, asked[1].path, asked[1].content) == (
        "PATCH",
        "/v1/uploads/u1",
        b"video",
    )


def test_an_upload_that_breaks_goes_on_where_the_service_has_come_to():
    created, finished = upload_answers(size=5)
    answers = [
        created,
        ServiceError("the connection broke"),
        httpx.Response(200, headers={"upload-offset": "3"}),
        finished,
    ]
    asked, upload = drive(calls.upload(io.BytesIO(b"video"), name="a", size=5), answers)
    sent = [step for step in asked if isinstance(step, calls.Call)]
    assert [call.method for call in sent] == ["POST", "PATCH", "HEAD", "PATCH"]
    assert (sent[3].headers["upload-offset"], sent[3].content) == ("3", b"eo")
    assert upload == "u1"


@pytest.mark.parametrize("status", [408, 409, 423, 460])
def test_a_piece_that_is_out_of_step_is_sent_again_from_where_the_service_is(status):
    created, finished = upload_answers(size=5)
    answers = [
        created,
        httpx.Response(status),
        httpx.Response(200, headers={"upload-offset": "0"}),
        finished,
    ]
    asked, _ = drive(calls.upload(io.BytesIO(b"video"), name="a", size=5), answers)
    sent = [step for step in asked if isinstance(step, calls.Call)]
    assert sent[3] == sent[1]


def test_an_empty_file_is_one_call():
    created, _ = upload_answers(size=0)
    assert drive(calls.upload(io.BytesIO(), name="a", size=0), [created])[1] == "u1"


def test_a_file_that_becomes_shorter_meanwhile_ends_its_upload(tmp_path):
    created, _ = upload_answers(size=5)
    path = tmp_path / "a.mp4"
    path.touch()
    with path.open("rb") as file, pytest.raises(MediaError, match="has become shorter"):
        drive(calls.upload(file, name="a", size=5), [created])


def test_an_upload_whose_last_answer_was_lost_is_finished():
    created, _ = upload_answers(size=5)
    stored = httpx.Response(200, headers={"upload-offset": "5"})
    answers = [created, ServiceError("the connection broke"), stored]
    assert drive(calls.upload(io.BytesIO(b"video"), name="a", size=5), answers)[1] == "u1"


def test_an_upload_is_not_given_up_while_it_gets_on():
    video = bytes(range(20))
    answers = [httpx.Response(201, headers={"location": "/v1/uploads/u1"})]
    for offset in range(1, 21):
        answers.append(ServiceError("the connection broke"))
        answers.append(httpx.Response(200, headers={"upload-offset": str(offset)}))
    assert drive(calls.upload(io.BytesIO(video), name="a", size=20), answers)[1] == "u1"


def test_a_name_that_is_no_text_is_sent_as_well_as_it_can_be():
    created, finished = upload_answers(size=5)
    name = b"gate\xff.mp4".decode(errors="surrogateescape")
    asked, _ = drive(calls.upload(io.BytesIO(b"video"), name=name, size=5), [created, finished])
    assert asked[0].headers["upload-metadata"] == "filename Z2F0ZT8ubXA0"


def test_an_upload_that_is_refused_ends():
    created, _ = upload_answers(size=5)
    with pytest.raises(ServiceError) as caught:
        drive(calls.upload(io.BytesIO(b"video"), name="a", size=5), [created, httpx.Response(413)])
    assert caught.value.status == 413


@pytest.fixture
def arrival(tmp_path):
    with Arrival(tmp_path / "street.txt", None) as arrival:
        yield arrival


def broken_off(arrival, sizes, *, etag='"1"'):
    """Answer with connections that break after so many bytes of the result each; None: busy."""
    for size in sizes:
        if size is None:
            yield httpx.Response(503)
            continue
        status = 206 if arrival.headers else 200
        arrival.begin(httpx.Response(status, headers={"etag": etag} if etag else {}))
        arrival.take(bytes(size))
        yield ServiceError("the connection broke")


def test_a_download_counts_its_tries_anew_whenever_it_gets_on(arrival):
    answers = broken_off(arrival, [5, *[0] * 6, 2, *[None] * 6])
    flow = calls.download("j1", "mot", arrival)
    asked, path = drive(flow, chain(answers, [httpx.Response(200)]))
    assert path.read_bytes() == bytes(7)
    assert (asked[0].method, asked[0].path) == ("GET", "/v1/jobs/j1/results/mot")
    assert asked[2].headers == {"range": "bytes=5-", "if-range": '"1"'}
    pauses = [step.seconds for step in asked if isinstance(step, calls.Pause)]
    assert pauses == 2 * pauses[:7]


@pytest.mark.parametrize("sizes", [[0] * 8, [None] * 8, [5, *[0] * 7], [5, *[None] * 7]])
def test_a_download_that_gets_no_further_is_given_up(arrival, sizes):
    with pytest.raises(ServiceError, match=r"broke|Unavailable"):
        drive(calls.download("j1", "mot", arrival), broken_off(arrival, sizes))


def test_a_download_that_begins_anew_each_time_is_given_up(arrival):
    with pytest.raises(ServiceError, match="broke"):
        drive(calls.download("j1", "mot", arrival), broken_off(arrival, [5, 4] * 4, etag=""))


def test_options_leave_out_what_is_left_to_the_service():
    assert JobOptions().as_json() == {}
    options = JobOptions(params={"confidence": 0.5}, start_s=0.0)
    assert options.as_json() == {"params": {"confidence": 0.5}, "start_s": 0.0}


def test_a_file_that_is_not_there_is_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        describe_source(tmp_path / "missing.mp4")


@pytest.mark.parametrize("address", ["ftp://example.org/x.mp4", "rtsp://camera/1", os.devnull])
def test_what_is_neither_a_file_nor_an_address_of_the_web_is_refused(address):
    with pytest.raises(MediaError, match=f"{address}: only files and http:// or https://"):
        describe_source(address)


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(MediaError, match="it is a folder; only files and http:// or https://"):
        describe_source(tmp_path)


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://x", "", "http://", "http://x:99999", "http://x y"]
)
def test_an_address_that_is_none_of_the_web_is_refused(url):
    with pytest.raises(ServiceError, match="http"):
        connection_options(url, None)


@pytest.mark.parametrize("key", ["sl_a b", "sl_a\nb", "sl_ä"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key):
    with pytest.raises(ServiceError, match="key holds") as caught:
        connection_options("http://x", key)
    assert key not in str(caught.value)


def test_a_key_travels_as_a_bearer_token_only():
    options = connection_options("http://x", "sl_secret")
    assert options["headers"]["authorization"] == "Bearer sl_secret"
    assert "sl_secret" not in options["base_url"]
