"""Both clients against a service in processes of its own: they give the same answers."""

import socket

import httpx
import pytest
from tests.integration.client.cutting_proxy import CuttingProxy
from tests.job_service import until

from sightline import JobOptions
from sightline.errors import MediaError, OutputError, ServiceError

ALL = ["tracks", "jsonl", "csv", "mot", "coco", "summary"]


@pytest.fixture
def big(tmp_path):
    """A file of several pieces, which is no video."""
    path = tmp_path / "big.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(9 * 2**20))
    return path


def test_a_file_becomes_the_results_of_the_inline_run(client, street, tmp_path):
    video, mot = street
    told = []
    job = client.submit(
        video,
        options=JobOptions(labels={"site": "north"}, outputs=["mot"]),
        on_upload=lambda sent, size: told.append((sent, size)),
    )
    assert (job.status, job.source_name) == ("queued", "street.mp4")
    assert told[-1] == (video.stat().st_size, video.stat().st_size)
    done = client.wait(job.id)
    assert (done.status, done.error, done.warnings, done.partial) == ("succeeded", None, (), False)
    assert done.document["labels"] == {"site": "north"}
    path = client.download(job.id, "mot", tmp_path / "street.txt")
    assert path.read_bytes() == mot
    assert [entry.name for entry in tmp_path.iterdir()] == ["street.txt"]


def test_an_address_is_fetched_and_followed_to_its_end(client, site):
    job = client.submit(site.url())
    versions = [(seen.version, seen.status) for seen in client.events(job.id)]
    assert versions == sorted(set(versions)), "every version comes once, in order"
    assert versions[-1][1] == "succeeded"
    assert [result["format"] for result in client.results(job.id)] == ALL
    assert [seen.status for seen in client.events(job.id)] == ["succeeded"]


def test_a_job_is_followed_whatever_signs_its_names_hold(client, site):
    name = "line\u2028paragraph\u2029.mp4"
    job = client.submit(site.url(), options=JobOptions(source_name=name, end_s=0.1))
    followed = list(client.events(job.id))
    assert {seen.source_name for seen in followed} == {name}
    assert followed[-1].succeeded


def test_jobs_are_listed_page_by_page_and_found_by_label(client, site, request):
    label = request.node.name
    options = JobOptions(labels={"test": label}, end_s=0.1, outputs=["mot"])
    submitted = [client.submit(site.url(), options=options).id for _ in range(3)]
    found = [job.id for job in client.jobs(label=f"test:{label}", limit=2)]
    assert found == submitted[::-1]
    for job_id in submitted:
        client.wait(job_id)
    assert list(client.jobs(label=f"test:{label}", status="failed")) == []


def test_a_submission_with_the_same_key_is_the_same_job(client, site, request):
    key = request.node.name
    first = client.submit(site.url(), idempotency_key=key)
    assert client.submit(site.url(), idempotency_key=key).id == first.id
    with pytest.raises(ServiceError) as caught:
        client.submit(site.url("other.mp4"), idempotency_key=key)
    assert caught.value.code == "idempotency-conflict"
    client.wait(first.id)


def test_a_file_with_the_same_key_makes_no_second_job(client, street, request):
    key = request.node.name
    options = JobOptions(labels={"test": key}, end_s=0.1, outputs=["mot"])
    first = client.submit(street[0], options=options, idempotency_key=key)
    with pytest.raises(ServiceError) as caught:
        client.submit(street[0], options=options, idempotency_key=key)
    assert caught.value.code == "idempotency-conflict"
    assert [job.id for job in client.jobs(label=f"test:{key}")] == [first.id]
    client.wait(first.id)


def test_a_running_job_is_canceled_retried_and_deleted(client, site):
    job = client.submit(site.url("held.mp4"))
    until(lambda: client.get(job.id).status == "running")
    assert client.cancel(job.id).status in ("canceling", "canceled")
    assert client.wait(job.id).status == "canceled"
    assert client.cancel(job.id).status == "canceled", "a second time does nothing"
    assert client.retry(job.id).status == "queued"
    client.cancel(job.id)
    client.wait(job.id)
    client.delete(job.id)
    with pytest.raises(ServiceError) as caught:
        client.get(job.id)
    assert (caught.value.status, caught.value.code) == (404, "unknown-job")


def test_why_a_job_failed_is_told(client, site):
    job = client.wait(client.submit(site.url("missing.mp4")).id)
    assert (job.status, job.error["code"]) == ("failed", "source-not-found")
    assert not job.succeeded


def test_an_upload_goes_on_where_broken_connections_left_it(connect, served, big):
    with CuttingProxy(served.url, cuts=[2_000_000, 3_000_000, 100_000]) as proxy:
        client = connect(proxy.url)
        job = client.submit(big)
        assert proxy.connections >= 4
        assert client.wait(job.id).error["code"] == "source-not-video", "it arrived"


def test_events_go_on_when_their_connection_breaks(connect, served, site):
    with CuttingProxy(served.url, cuts=[2500, 2600, 3000]) as proxy:
        client = connect(proxy.url)
        job = client.submit(site.url())
        followed = list(client.events(job.id))
        assert proxy.connections > 3
    versions = [seen.version for seen in followed]
    assert versions == sorted(set(versions))
    assert followed[-1].succeeded


def test_a_download_goes_on_where_broken_connections_left_it(
    client, connect, served, site, tmp_path
):
    job = client.submit(site.url(), options=JobOptions(outputs=["jsonl"]))
    client.wait(job.id)
    whole = client.download(job.id, "jsonl", tmp_path / "whole.jsonl").read_bytes()
    told = []
    with CuttingProxy(served.url, cuts=[len(whole) // 2] * 2) as proxy:
        path = connect(proxy.url).download(
            job.id, "jsonl", tmp_path / "pieces.jsonl", on_progress=lambda *both: told.append(both)
        )
        assert proxy.connections == 3
    assert path.read_bytes() == whole
    assert told == sorted(told), "nothing came twice"
    assert told[-1] == (len(whole), len(whole))


def test_wrong_parameters_are_named(client, site):
    with pytest.raises(ServiceError, match="confidence") as caught:
        client.submit(site.url(), options=JobOptions(params={"confidence": 7}))
    assert (caught.value.status, caught.value.code) == (422, "invalid-request")


def test_a_format_that_there_is_not_leaves_no_file(client, site, tmp_path):
    job = client.submit(site.url(), options=JobOptions(outputs=["mot"]))
    client.wait(job.id)
    with pytest.raises(ServiceError) as caught:
        client.download(job.id, "csv", tmp_path / "street.csv")
    assert caught.value.code == "no-result"
    with pytest.raises(OutputError, match="cannot write"):
        client.download(job.id, "mot", tmp_path / "nowhere" / "street.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused(client, tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        client.submit(tmp_path / "missing.mp4")


def test_a_service_that_never_answered_is_not_waited_for(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = connect(f"http://127.0.0.1:{port}")
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        client.get("j1")
    assert caught.value.status is None


def test_another_web_server_is_not_taken_for_a_service(connect):
    def answer(_request):
        return httpx.Response(200, text="<html>")

    client = connect("http://127.0.0.1", transport=httpx.MockTransport(answer))
    for call in (lambda: client.get("j1"), lambda: client.submit(__file__)):
        with pytest.raises(ServiceError, match="no job service"):
            call()
