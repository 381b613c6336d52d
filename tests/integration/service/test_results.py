"""The results of a job over HTTP: pages, files, ranges."""

import json
import os

import pytest
from tests.killed_writer import break_off

from sightline.jobs.files import RESULTS_INDEX
from sightline.jobs.results_index import IndexFile


def everything(client, path, key, **query):
    """Collect all pages of a list."""
    rows, cursor = [], None
    while True:
        page = client.get(path, params=query | ({"cursor": cursor} if cursor else {})).json()
        rows += page[key]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def test_tracks_and_detections_agree_page_by_page_with_the_file(client, finished):
    base = finished["links"]["self"]
    file = client.get(f"{base}/results/tracks").json()
    tracks = everything(client, f"{base}/tracks", "tracks", limit=2)
    assert [str(track["track_id"]) for track in tracks] == sorted(file, key=int)
    found = everything(client, f"{base}/detections", "detections", limit=7)
    on_tracks = [row for row in found if row["track_id"] is not None]
    assert len(on_tracks) == sum(map(len, file.values())) > 0
    assert [row["time_s"] for row in found] == sorted(row["time_s"] for row in found)


def test_detections_are_found_by_time_class_confidence_and_track(client, finished):
    path = f"{finished['links']['self']}/detections"
    every = everything(client, path, "detections", limit=1000)
    name, track = every[0]["class"], every[0]["track_id"]

    def expect(condition, **query):
        found = everything(client, path, "detections", limit=1000, **query)
        assert found == [row for row in every if condition(row)]

    expect(lambda row: 0.4 <= row["time_s"] < 0.8, **{"from": 0.4, "to": 0.8})
    expect(lambda row: row["class"] == name, **{"class": name})
    expect(lambda row: row["confidence"] >= 0.9, min_confidence=0.9)
    expect(lambda row: row["track_id"] == track, track=track)


def test_counts_add_up_to_the_detections(client, finished):
    base = finished["links"]["self"]
    bins = client.get(f"{base}/counts?bins=4").json()["bins"]
    every = everything(client, f"{base}/detections", "detections", limit=1000)
    assert 0 < len(bins) <= 4
    assert sum(sum(span["objects"].values()) for span in bins) == len(every)
    assert sum(span["frames"] for span in bins) == 50


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "from=x", "min_confidence=2"])
def test_a_wrong_query_for_results_is_refused(client, finished, query):
    answer = client.get(f"{finished['links']['self']}/detections?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/query/")


def test_results_are_listed_and_downloaded(client, finished):
    listed = client.get(finished["links"]["results"]).json()["results"]
    assert {item["format"] for item in listed} == {"tracks", "mot", "video", "summary"}
    for item in listed:
        answer = client.get(item["url"])
        assert answer.headers["content-type"].partition(";")[0] == item["media_type"]
        assert answer.headers["content-disposition"] == f'attachment; filename="{item["name"]}"'
        assert len(answer.content) == item["size"]


@pytest.mark.parametrize("name", ["csv", "gif", "results.sqlite", "..%2F..%2Fjobs.sqlite"])
def test_a_result_that_was_not_made_is_not_found(client, finished, name):
    answer = client.get(f"{finished['links']['self']}/results/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_there_are_no_results_before_there_are_some(client):
    body = {"source_url": "https://example.org/a.mp4"}
    base = client.post("/v1/jobs", json=body).headers["location"]
    for path in ("tracks", "detections", "counts", "results/mot", "video", "thumbnail.jpg"):
        answer = client.get(f"{base}/{path}")
        assert answer.json()["type"] == "urn:sightline:problem:no-result"
    assert client.get(f"{base}/results").json() == {"results": []}
    assert client.get(f"{base}/chunks").json() == {"chunks": []}


@pytest.mark.parametrize("path", ["tracks", "detections", "counts"])
def test_there_are_no_results_while_the_final_pass_begins(services, client, path):
    body = {"source_url": "https://example.org/a.mp4"}
    job = client.post("/v1/jobs", json=body).json()
    folder = services.storage.job(job["id"]).final("token")
    folder.mkdir(parents=True)
    (folder / RESULTS_INDEX).touch()
    answer = client.get(f"{job['links']['self']}/{path}")
    assert answer.json()["type"] == "urn:sightline:problem:no-result"


@pytest.mark.parametrize("path", ["tracks", "detections", "counts"])
def test_results_whose_writer_was_killed_are_to_be_asked_for_again(services, client, path):
    body = {"source_url": "https://example.org/a.mp4"}
    job = client.post("/v1/jobs", json=body).json()
    index = IndexFile(services.storage.job(job["id"]).final("token") / RESULTS_INDEX)
    index.open(None)
    index.close()
    break_off(index.path)
    answer = client.get(f"{job['links']['self']}/{path}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:sightline:problem:unavailable"


@pytest.mark.parametrize("name", ["annotated.mp4", "video", "thumbnail.jpg", "results/mot"])
def test_files_are_given_whole_in_ranges_and_not_twice(client, finished, name):
    path = f"{finished['links']['self']}/{name}"
    whole = client.get(path)
    size = len(whole.content)
    part = client.get(path, headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{size}"
    assert client.get(path, headers={"range": "bytes=-3"}).content == whole.content[-3:]
    beyond = client.get(path, headers={"range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.json()["type"] == "urn:sightline:problem:range-not-satisfiable"
    known = client.get(path, headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    head = client.request("HEAD", path)
    assert (head.content, head.headers["content-length"]) == (b"", str(size))


def test_a_range_of_a_file_that_has_changed_is_answered_with_the_whole_file(
    services, client, finished
):
    path = f"{finished['links']['self']}/results/mot"
    before = client.get(path)
    names = ("etag", "last-modified")
    for name in names:
        same = {"range": "bytes=5-9", "if-range": before.headers[name]}
        assert client.get(path, headers=same).content == before.content[5:10]
        beyond = {"range": f"bytes={len(before.content)}-", "if-range": before.headers[name]}
        assert client.get(path, headers=beyond).status_code == 416
    file = services.storage.job(finished["id"]).results / "mot.txt"
    file.write_bytes(b"0123456789")
    os.utime(file, (0, 0))
    for name in names:
        for wanted in ("bytes=5-", f"bytes={len(before.content) - 1}-"):
            other = {"range": wanted, "if-range": before.headers[name]}
            answer = client.get(path, headers=other)
            assert (answer.status_code, answer.content) == (200, b"0123456789")


@pytest.mark.parametrize("text", ["bytes=x", "bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=-"])
def test_ranges_that_nobody_has_to_understand_are_ignored(client, finished, text):
    path = f"{finished['links']['self']}/results/mot"
    assert client.get(path, headers={"range": text}).status_code == 200


def test_the_video_comes_back_as_it_was_sent(client, finished, video):
    answer = client.get(f"{finished['links']['self']}/video")
    assert answer.content == video.read_bytes()
    assert answer.headers["content-type"] == "video/mp4"


def test_of_a_video_that_is_not_here_it_is_told_whether_it_may_come(services, client):
    asked = {"source_url": "https://example.org/a.mp4"}
    job = client.post("/v1/jobs", json=asked).json()

    def reason():
        answer = client.get(f"{job['links']['self']}/video")
        assert (answer.status_code, answer.json()["title"]) == (404, "The job has no such result")
        return answer.json()["detail"]

    assert reason() == "the video is not here yet"
    client.post(job["links"]["cancel"])
    assert reason() == "the job ended before its video was here"
    month_s = 40 * 86400.0
    services.store.sweep(policy=services.policy, now_s=services.clock() + month_s)
    assert client.get(job["links"]["self"]).json()["status"] == "expired"
    assert reason() == "the job ended before its video was here"


def test_the_chunks_of_a_job_are_listed(client, finished):
    chunks = client.get(f"{finished['links']['self']}/chunks").json()["chunks"]
    assert [chunk["number"] for chunk in chunks] == list(range(len(chunks)))
    assert {chunk["status"] for chunk in chunks} == {"done"}
    assert sum(chunk["frames_done"] for chunk in chunks) == 50


def test_the_short_form_submits_and_gives_the_tracks_at_the_end(services, client, finished):
    form = {"source_name": "gate", "source_url": "https://example.org/a.mp4"}
    pushed = client.post("/push", data=form)
    assert pushed.status_code == 202
    assert pushed.json().keys() == {"id", "status", "source_name"}
    assert pushed.json()["source_name"] == "gate"
    looked = client.get(pushed.headers["location"])
    assert looked.json() == {"id": pushed.json()["id"], "status": "queued", "progress": 0.0}
    assert looked.headers["retry-after"] == pushed.headers["retry-after"] == "1"
    answer = client.get(f"/status/{finished['id']}")
    assert "retry-after" not in answer.headers
    done = answer.json()
    file = client.get(f"{finished['links']['self']}/results/tracks").json()
    assert (done["status"], done["progress"], done["result"]) == ("succeeded", 100.0, file)


def test_the_short_form_refuses_what_is_wrong(client):
    answer = client.post("/push", data={"source_name": "x", "source_url": "ftp://x/", "more": "1"})
    assert answer.status_code == 422
    assert {item["pointer"] for item in answer.json()["errors"]} == {"/source_url", "/more"}


def test_a_form_with_other_parts_is_refused_and_nothing_of_it_is_kept(services, client, video):
    answer = client.post("/v1/jobs", files={"file": video.read_bytes()}, data={"jobs": "{}"})
    assert answer.status_code == 422
    answer = client.post("/v1/jobs", files={"file": video.read_bytes()}, data={"job": "{"})
    assert answer.status_code == 400
    assert list((services.storage.root / "uploads").iterdir()) == []


def test_pipelines_are_described_with_the_schema_of_their_parameters(client):
    (listed,) = client.get("/v1/pipelines").json()["pipelines"]
    assert (listed["name"], listed["default"]) == ("detect-track", True)
    assert listed["schema"]["properties"]["detector"]["enum"] == ["demo", "motion"]
    assert {one["name"]: one["status"] for one in listed["detectors"]} == {
        "demo": "ready",
        "motion": "ready",
    }
    assert client.get("/v1/pipelines/detect-track").json() == listed


def test_measurements_tell_of_jobs_tasks_and_requests(client, finished):
    text = client.get("/metrics").text
    assert 'sightline_jobs{state="succeeded"} 1.0' in text
    assert 'sightline_job_frames{state="succeeded"} 50.0' in text
    assert 'sightline_tasks_outstanding{kind="chunk",queue="detect",state="leased"} 0.0' in text
    assert 'sightline_workers{kind="chunk",state="idle"} 1.0' in text
    assert 'route="/v1/jobs/{job_id}"' in text
    assert finished["id"] not in text


def test_a_service_without_workers_is_alive_but_not_ready(services, client):
    assert client.get("/readyz").json() == {"status": "ok"}
    services.executor.close()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "no worker runs")
    assert client.get("/livez").status_code == 200


def test_the_pages_and_the_document_are_there(client):
    for path in ("/", "/jobs/any", "/streams"):
        page = client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        known = client.get(path, headers={"if-none-match": page.headers["etag"]})
        assert known.status_code == 304
    assert client.get("/static/icon.svg").headers["content-type"] == "image/svg+xml"
    for name in ("__init__.py", "..%2Fserver.py", "nothing.js", "%00.js", "a" * 300 + ".js", "."):
        assert client.get(f"/static/{name}").status_code == 404
    document = json.loads(client.get("/openapi.json").text)
    assert document["openapi"].startswith("3.1")
