"""The commands of a job service that are given several jobs or videos."""

import httpx
import pytest
from click.testing import CliRunner
from tests.unit.client.remote_job import job_document

from sightline.cli import job_connection
from sightline.cli.jobs import cancel, delete, retry, submit, wait
from sightline.client.sync import Client
from sightline.errors import MediaError, ServiceError


@pytest.fixture
def serve(monkeypatch):
    """Give a function that lets a function answer for the service."""
    monkeypatch.delenv("SIGHTLINE_SERVER_KEY", raising=False)

    def answer_with(answer):
        def connect(url, **options):
            return Client(url, transport=httpx.MockTransport(answer), **options)

        monkeypatch.setattr(job_connection, "Client", connect)

    return answer_with


def refusal(status, detail, **headers):
    return httpx.Response(status, json={"title": "No", "detail": detail}, headers=headers)


@pytest.mark.parametrize("command", [cancel, retry, delete])
def test_a_job_that_is_refused_does_not_keep_the_others(serve, command):
    asked = []

    def answer(request):
        job_id = request.url.path.split("/")[3]
        asked.append(job_id)
        if job_id != "good":
            return refusal(409, f"job {job_id} is not fit")
        if request.method == "DELETE":
            return httpx.Response(204)
        return httpx.Response(202, json=job_document(id=job_id))

    serve(answer)
    done = CliRunner().invoke(command, ["bad", "good", "worse"])
    assert asked == ["bad", "good", "worse"]
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: bad: the service refused: No - job bad is not fit\n"
        "Error: worse: the service refused: No - job worse is not fit\n"
    )
    assert done.stdout.startswith("good  queued") == (command is not delete)


@pytest.mark.parametrize(
    ("job_ids", "status"),
    [
        (["succeeded", "partly"], 3),
        (["partly", "canceled", "succeeded"], 130),
        (["canceled", "failed", "partly"], 1),
        (["failed", "unknown", "succeeded"], 2),
        (["unknown", "failed"], 2),
    ],
)
@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_all_jobs_are_waited_for_and_the_worst_of_them_tells_the_exit_status(
    serve, job_ids, status, options
):
    def answer(request):
        job_id = request.url.path.split("/")[3]
        if job_id == "unknown":
            return refusal(404, "there is no job of this id")
        state = {"partly": "succeeded"}.get(job_id, job_id)
        job = job_document(
            id=job_id,
            status=state,
            terminal=True,
            error={"message": "it is no video"} if job_id == "failed" else None,
            warnings=["a packet is damaged"] if job_id == "partly" else [],
        )
        return httpx.Response(200, json=job)

    serve(answer)
    done = CliRunner().invoke(wait, [*job_ids, *options])
    told = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert list(told) == [job_id for job_id in job_ids if job_id != "unknown"]
    assert "failed" not in told or "it is no video" in told["failed"]
    refused = "Error: unknown: the service refused: No - there is no job of this id\n"
    assert (refused in done.stderr) == ("unknown" in job_ids)
    assert done.exit_code == status


@pytest.mark.parametrize("command", [cancel, wait])
def test_a_key_that_is_refused_is_told_of_once(serve, command):
    serve(lambda request: refusal(401, "the key is unknown"))
    done = CliRunner().invoke(command, ["one", "two"])
    assert str(done.exception).startswith("the service at ")
    assert "needs a key" in str(done.exception)
    assert done.stderr == ""


def test_all_videos_are_looked_at_before_the_first_is_submitted(serve, tmp_path):
    asked = []
    serve(asked.append)
    missing = str(tmp_path / "missing.mp4")
    done = CliRunner().invoke(submit, ["http://x/a.mp4", missing, "--wait", "--quiet"])
    assert isinstance(done.exception, MediaError)
    assert asked == []


@pytest.mark.parametrize("options", [[], ["--wait"], ["--wait", "--quiet"]])
def test_what_was_submitted_before_an_error_is_told_once(serve, options):
    answers = iter([httpx.Response(202, json=job_document(id="j1")), refusal(507, "it is full")])
    serve(lambda request: next(answers))
    done = CliRunner().invoke(submit, ["http://x/a.mp4", "http://x/b.mp4", *options])
    assert isinstance(done.exception, ServiceError)
    assert done.output == "j1  queued      street.mp4\n"
    assert (done.stdout == "") == (options == ["--wait"])


@pytest.mark.parametrize("quiet", [False, True])
def test_each_wait_for_a_busy_service_is_told_with_its_reason(serve, monkeypatch, quiet):
    busy = refusal(429, "60 requests a minute are allowed", **{"Retry-After": "7"})
    answers = iter([busy, busy, httpx.Response(202, json=job_document(id="j1"))])
    serve(lambda request: next(answers))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    done = CliRunner().invoke(submit, ["http://x/a.mp4", *(["--quiet"] if quiet else [])])
    assert done.exit_code == 0, done.output
    assert done.stdout == "j1  queued      street.mp4\n"
    line = "Waiting 7 s: No - 60 requests a minute are allowed\n"
    assert done.stderr == ("" if quiet else 2 * line)


def test_waits_that_are_hardly_noticed_are_not_told(serve, monkeypatch):
    answers = iter([refusal(503, "it is busy"), httpx.Response(202, json=job_document())])
    serve(lambda request: next(answers))
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    done = CliRunner().invoke(submit, ["http://x/a.mp4"])
    assert (done.exit_code, done.stderr, waits) == (0, "", [0.25])
