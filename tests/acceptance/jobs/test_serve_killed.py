"""`sightline serve` is killed with all that it started: what it has accepted comes to its end."""

import random
import threading
import time

import httpx
import pytest
from tests.acceptance.jobs.test_killed_service import descendants
from tests.graph_witness import is_dead
from tests.job_service import until, write_video
from tests.lengths import short_or_long
from tests.serve_process import PATIENCE_S, ServeProcess, VideoSite

from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.sql.database import database_in
from sightline.jobs.sql_store import SqlJobStore
from sightline.service.uploads import Uploads

SEEDS = short_or_long(1, 8)
KILLS = short_or_long(2, 5)
FRAMES = 24
LATER_S = 7 * 86400.0


@pytest.fixture(scope="module")
def tracked(tmp_path_factory, sightline):
    """A video, and what `sightline track` makes of it, by file name."""
    folder = tmp_path_factory.mktemp("tracked")
    video = write_video(folder / "street.mp4", frames=FRAMES)
    formats = [part for name in ("tracks", "jsonl", "csv", "mot", "coco") for part in ("-f", name)]
    done = sightline("track", video, "--detector", "demo", "-q", "-o", folder / "out", *formats)
    assert done.returncode == 0, done.stderr
    files = {path.name: path.read_bytes() for path in (folder / "out" / "street").iterdir()}
    del files["summary.json"]  # tells how long it took
    assert len(files) == 5
    return video, files


class Persistent(threading.Thread):
    """Submits a video some times by upload and by address, each until it hears of a job.

    Attributes:
        accepted: Ids of the jobs.
    """

    def __init__(self, url, video, address):
        super().__init__(daemon=True)
        self.accepted = []
        self._url = url
        self._content = video.read_bytes()
        self._address = address

    def run(self):
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            for number, ways in enumerate([self._as_file, self._as_address] * 2):
                self.accepted.append(self._until_accepted(client, f"job-{number}", ways()))

    def _as_file(self):
        return {"files": {"file": ("street.mp4", self._content)}}

    def _as_address(self):
        return {"json": {"source_url": self._address}}

    def _until_accepted(self, client, key, body):
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = client.post("/v1/jobs", headers={"idempotency-key": key}, **body)
            except httpx.TransportError:  # killed, or not started again yet
                assert time.monotonic() < until_s
                time.sleep(0.02)
            else:
                assert answer.status_code == 202, answer.text
                return answer.json()["id"]


def listed(client):
    return [job["id"] for job in client.get("/v1/jobs", params={"limit": 200}).json()["jobs"]]


def ended(client, job_id):
    """Wait for the end of a job; return it."""
    return until(
        lambda: (job := client.get(f"/v1/jobs/{job_id}?wait=20").json())["terminal"] and job
    )


def kill(service):
    """Kill all of a service; nothing of it may stay alive."""
    below = descendants(service.pid)
    service.kill()
    assert [pid for pid in below if not is_dead(pid)] == []


def tidied(folder, now_s):
    """Let housekeeping do to a data folder what it would do later; return the files of its jobs.

    Uploads must be links to them, which need no room.
    """
    database, storage = database_in(folder), Storage(folder)
    store = SqlJobStore(database)
    try:
        Housekeeper(store, storage).tidy(now_s)
        Uploads(database, storage).expire(now_s)
    finally:
        store.close()
    files = {path.stat().st_ino: path for path in (folder / "jobs").rglob("*") if path.is_file()}
    assert {path.stat().st_ino for path in (folder / "uploads").iterdir()} <= files.keys()
    return {str(path.relative_to(folder / "jobs")) for path in files.values()}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_accepted_job_ends_though_all_of_the_service_is_killed_at_random(
    tmp_path, tracked, seed
):
    video, files = tracked
    chance = random.Random(seed)
    with (
        VideoSite(video) as site,
        ServeProcess(tmp_path / "data", "--workers", "2", "--allow-network", site.at) as service,
        httpx.Client(base_url=service.url, timeout=PATIENCE_S) as client,
    ):
        held_video = {"source_url": site.url("held.mp4"), "source_name": "street.mp4"}
        held = [client.post("/v1/jobs", json=held_video).json()["id"] for _ in range(2)]
        until(lambda: client.get(f"/v1/jobs/{held[0]}").json()["status"] == "running")
        client.post(f"/v1/jobs/{held[0]}/cancel").raise_for_status()
        submitting = Persistent(service.url, video, site.url())
        submitting.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 2.5))  # it may be starting, or in the midst of a job
            kill(service)
            service.launch()
        service.wait_until_ready()
        site.release()
        submitting.join(PATIENCE_S)

        wanted = [held[1], *submitting.accepted]
        assert len(wanted) == 5
        assert sorted(listed(client)) == sorted([*held, *submitting.accepted])
        assert ended(client, held[0])["status"] == "canceled"
        for job_id in wanted:
            job = ended(client, job_id)
            assert (job["status"], job["error"], job["partial"]) == ("succeeded", None, False)
            results = client.get(job["links"]["results"]).json()["results"]
            made = {f["name"]: client.get(f["url"]).content for f in results}
            del made["summary.json"]
            assert made == files
        assert service.end() == (130, "")
    left = tidied(tmp_path / "data", time.time() + LATER_S)
    results = {*files, "summary.json", "results.sqlite"}
    assert left == {
        f"{job_id}/{name}"
        for job_id in wanted
        for name in ("source", "thumbnail.jpg", *(f"results/{file}" for file in results))
    }
