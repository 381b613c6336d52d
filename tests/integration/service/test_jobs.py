"""Jobs over HTTP: submitting, listing, looking, waiting, and what may be done when."""

import json
import re

import pytest
from starlette.responses import StreamingResponse

URL = "https://example.org/a/gate%201.mp4"


def submit(client, **about):
    answer = client.post("/v1/jobs", json={"source_url": URL, **about})
    assert answer.status_code == 202, answer.text
    return answer.json()


def problem(answer, status, code):
    """Check that an answer is a problem document; give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:sightline:problem:{code}"
    assert document["status"] == status
    assert document["instance"] == f"urn:request:{answer.headers['x-request-id']}"
    return document


def test_a_submitted_job_is_accepted_with_where_to_find_it(client):
    answer = client.post("/v1/jobs", json={"source_url": URL, "confidence": 0.5})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert "retry-after" in answer.headers
    assert (job["status"], job["terminal"], job["version"]) == ("queued", False, 1)
    assert job["source"]["name"] == "gate 1.mp4"
    assert job["params"]["confidence"] == 0.5
    assert job["params"]["tracker"] == "sort"
    assert job["progress"]["queue_position"] == 0


def test_what_is_secret_in_an_address_is_not_shown(client):
    job = submit(client, source_url="https://ann:secret@example.org/a.mp4?token=secret")
    assert "secret" not in json.dumps(job)
    assert job["source"]["url"] == "https://***@example.org/a.mp4?***"


def test_workers_are_told_of_a_new_job(services, client):
    submit(client)
    assert services.executor.woken


def test_a_repeated_submission_is_the_same_job(client):
    asked = {"json": {"source_url": URL}, "headers": {"idempotency-key": "k1"}}
    first, second = client.post("/v1/jobs", **asked), client.post("/v1/jobs", **asked)
    assert first.json()["id"] == second.json()["id"]
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1


def test_another_request_under_the_same_idempotency_key_is_refused(client):
    headers = {"idempotency-key": "k1"}
    client.post("/v1/jobs", json={"source_url": URL}, headers=headers)
    other = client.post("/v1/jobs", json={"source_url": URL, "start_s": 1}, headers=headers)
    problem(other, 422, "idempotency-conflict")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"source_url": "file:///etc/passwd"}, "/source_url"),
        ({"source_url": URL, "outptus": ["mot"]}, "/outptus"),
        ({"source_url": URL, "outputs": ["gif"]}, "/outputs/0"),
        ({"source_url": URL, "start_s": "1"}, "/start_s"),
        ({"source_url": URL, "pipeline": "mine"}, "/pipeline"),
        ({"source_url": URL, "params": {"detector": "/tmp/evil.onnx"}}, "/params/detector"),
        ({"source_url": URL, "params": {"confidence": 1}}, "/params/confidence"),
        ({"source_url": URL, "params": {"tracker": "none", "max_age": 1}}, "/params/max_age"),
        ({"source_url": URL, "detector": "motion", "nms": 0.5}, "/nms"),
        ({"source_url": URL, "labels": {"a b": "c"}}, "/labels/a b/[key]"),
    ],
)
def test_what_is_wrong_with_a_submission_is_said_with_its_place(client, body, pointer):
    document = problem(client.post("/v1/jobs", json=body), 422, "invalid-request")
    assert pointer in [item["pointer"] for item in document["errors"]]
    assert client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"classes": [[]] * 60_000},
        {"outputs": ["x"] * 60_000},
        {"labels": {f" {number}": "x" for number in range(5_000)}},
        {f"name{number}": 1 for number in range(5_000)},
    ],
)
def test_however_much_is_wrong_with_a_submission_the_answer_is_short(client, body):
    answer = client.post("/v1/jobs", json={"source_url": URL, **body})
    document = problem(answer, 422, "invalid-request")
    assert 0 < len(document["errors"]) <= 20
    assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    "field",
    [
        {"source_url": "http:///x.mp4"},
        {"source_url": URL + "a" * 2000},
        {"source_url": 1},
        {"source_url": URL, "webhook_url": "ftp://example.org"},
        {"source_url": URL, "source_name": "a\nb"},
        {"source_url": URL, "source_name": ""},
        {"source_url": URL, "labels": {"a b": "c"}},
        {"source_url": URL, "labels": {"a": "\0"}},
        {"upload": "../a"},
    ],
)
def test_what_is_wrong_with_a_text_is_said_without_its_pattern(client, field):
    document = problem(client.post("/v1/jobs", json=field), 422, "invalid-request")
    [fault] = document["errors"]
    assert re.match("(the name of a label )?must (be|have) ", fault["detail"])
    assert "pattern" not in fault["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source_url": URL, "upload": "abc"},
        {"source_url": URL, "start_s": 2, "end_s": 2},
        {"source_url": URL, "params": {"nms": 0.3}, "confidence": 0.3},
        [],
    ],
)
def test_a_submission_that_makes_no_sense_as_a_whole_is_refused(client, body):
    problem(client.post("/v1/jobs", json=body), 422, "invalid-request")


@pytest.mark.parametrize("body", [b"", b"{", b'{"source_url": NaN}', b"\xff"])
def test_a_body_that_is_no_json_is_refused(client, body):
    answer = client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    problem(answer, 400, "malformed-request")


def test_a_body_of_another_type_is_refused(client):
    answer = client.post("/v1/jobs", content=b"x", headers={"content-type": "text/plain"})
    problem(answer, 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused(client):
    answer = client.post("/v1/jobs", json={"source_url": URL, "source_name": "x" * 300_000})
    problem(answer, 413, "too-large")


def test_a_method_that_is_not_allowed_is_refused_with_those_that_are(client):
    answer = client.request("PUT", "/v1/jobs")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_what_does_not_exist_is_not_found(client):
    problem(client.get("/v1/nothing"), 404, "not-found")
    problem(client.get("/v1/jobs/nothing"), 404, "unknown-job")
    problem(client.get("/v1/jobs/nothing/events"), 404, "unknown-job")
    problem(client.get("/v1/pipelines/nothing"), 404, "unknown-pipeline")


def test_jobs_are_listed_newest_first_page_by_page(client):
    ids = [submit(client)["id"] for _ in range(5)]
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/jobs", params=query).json()
        found += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]


def test_jobs_are_found_by_state_label_and_name(client):
    gate = submit(client, source_name="North Gate", labels={"site": "a", "run": "1"})
    yard = submit(client, source_name="Yard", labels={"site": "a"})
    client.post(yard["links"]["cancel"])

    def found(**query):
        return [job["id"] for job in client.get("/v1/jobs", params=query).json()["jobs"]]

    assert found(status="canceled") == [yard["id"]]
    assert found(status=["queued", "canceled"]) == [yard["id"], gate["id"]]
    assert found(label=["site:a", "run:1"]) == [gate["id"]]
    assert found(label=["site:a", "site:a"]) == [yard["id"], gate["id"]]
    assert found(label=["run:2", "run:1"]) == []
    assert found(q="gATE") == [gate["id"]]
    assert found(q="%") == []
    assert found(nonsense="ignored") == [yard["id"], gate["id"]]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"status": "x"},
        {"label": "x"},
        {"label": [f"name{number}:x" for number in range(21)]},
        {"status": ["queued"] * 9},
        {"label": "a:\0"},
        {"q": "a\0"},
        {"cursor": "ü"},
    ],
)
def test_a_query_that_is_wrong_is_refused(client, query):
    problem(client.get("/v1/jobs", params=query), 422, "invalid-request")


def test_the_right_form_of_a_label_is_said_in_a_sentence(client):
    document = problem(client.get("/v1/jobs?label=site%3Dnorth"), 422, "invalid-request")
    [fault] = document["errors"]
    assert fault["pointer"] == "/query/label/0"
    assert fault["detail"].startswith("must be NAME:VALUE, ")


def test_a_job_that_has_not_changed_is_not_sent_again(client):
    path = submit(client)["links"]["self"]
    etag = client.get(path).headers["etag"]
    again = client.get(path, headers={"if-none-match": f'"x", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    client.post(f"{path}/cancel")
    assert client.get(path, headers={"if-none-match": etag}).status_code == 200


def test_a_long_poll_answers_when_the_job_changes(client):
    job = submit(client)
    waiting = client.begin("GET", f"{job['links']['self']}?wait=60&version={job['version']}")
    client.post(job["links"]["cancel"])
    assert waiting.result(30).json()["status"] == "canceled"


def test_a_long_poll_for_an_older_version_answers_at_once(client):
    job = submit(client)
    answer = client.get(f"{job['links']['self']}?wait=60&version=0")
    assert answer.json()["version"] == 1


def test_a_long_poll_answers_when_its_time_is_over(client):
    job = submit(client)
    assert client.get(f"{job['links']['self']}?wait=0.01").json()["version"] == 1


def test_a_long_poll_for_a_job_at_its_end_answers_at_once(client):
    job = submit(client)
    canceled = client.post(job["links"]["cancel"]).json()
    answer = client.get(f"{job['links']['self']}?wait=60&version=99")
    assert answer.json()["version"] == canceled["version"]


def test_a_canceled_job_can_be_retried_and_only_then(client):
    job = submit(client)
    problem(client.post(job["links"]["retry"]), 409, "job-state")
    assert client.post(job["links"]["cancel"]).status_code == 202
    assert client.post(job["links"]["cancel"]).status_code == 202
    again = client.post(job["links"]["retry"])
    assert (again.status_code, again.json()["status"]) == (202, "queued")


def test_a_deleted_job_takes_the_video_along_that_was_uploaded_for_it(services, client, video):
    with video.open("rb") as file:
        job = client.post("/v1/jobs", files={"file": ("street.mp4", file)}).json()
    (upload,) = (services.storage.root / "uploads").iterdir()
    client.post(job["links"]["cancel"])
    assert client.delete(job["links"]["self"]).status_code == 204
    assert not upload.exists()


def test_a_job_is_deleted_with_its_files_at_its_end_and_not_before(services, client):
    job = submit(client)
    files = services.storage.job(job["id"])
    files.folder.mkdir(parents=True)
    problem(client.delete(job["links"]["self"]), 409, "job-state")
    client.post(job["links"]["cancel"])
    assert client.delete(job["links"]["self"]).status_code == 204
    problem(client.get(job["links"]["self"]), 404, "unknown-job")
    assert not files.folder.exists()


def test_every_answer_tells_browsers_to_be_careful(client):
    for path in ("/", "/v1/jobs", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"


def test_a_defect_is_answered_with_care_and_named_in_the_log(client, caplog):
    async def fail():
        raise RuntimeError("a defect")

    client.application.add_api_route("/defect", fail)
    answer = client.get("/defect")
    problem(answer, 500, "internal-error")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    (logged,) = (record for record in caplog.records if "request failed" in record.message)
    assert f"request={answer.headers['x-request-id']} " in logged.message
    assert logged.exc_info[0] is RuntimeError


def test_a_defect_in_the_middle_of_an_answer_breaks_it_off_and_is_named_in_the_log(client, caplog):
    async def pieces():
        yield b"a beginning"
        raise RuntimeError("a defect")

    async def begin():
        return StreamingResponse(pieces())

    client.application.add_api_route("/defect", begin)
    answer = client.get("/defect")
    assert (answer.status_code, answer.content) == (200, b"a beginning")
    assert f"request failed request={answer.headers['x-request-id']} " in caplog.text


def test_head_answers_as_get_without_the_content(client):
    path = submit(client)["links"]["self"]
    head, get = client.request("HEAD", path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]


def test_what_was_done_is_in_the_audit_log(services, client):
    job = submit(client)
    for step in ("cancel", "retry", "cancel"):
        client.post(job["links"][step])
    client.delete(job["links"]["self"])
    actions = [entry.action.value for entry in services.access.audit.list()]
    assert actions == ["job.delete", "job.cancel", "job.retry", "job.cancel", "job.submit"]
