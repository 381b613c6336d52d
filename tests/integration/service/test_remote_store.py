"""A service whose machines have no folder in common: they share a database and a store."""

import errno
import json
import re
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from tests.job_fixtures import street
from tests.job_service import CHUNK_S, DETECT_TRACK, POLICY, stage, until
from tests.s3_server import S3Server
from tests.store_systems import FailingSystem, memory_url

from sightline.jobs import transfers
from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.model import Job
from sightline.jobs.remote_artifacts import RemoteArtifacts
from sightline.jobs.remote_tidy import RemoteTidier
from sightline.jobs.states import JobState, Queue, TaskKind
from sightline.jobs.work import do_task
from sightline.jobs.workplace import WorkOptions, open_workplace
from sightline.service.uploads import Uploads
from sightline.testing.executor import InlineExecutor

__all__ = ["street"]

DAY_S = 86400.0
NEXT_TO_NONE_S = 1e-6


class Site:
    """An interface on one machine, and workers on others.

    Args:
        url: Of the store.
        services: Of a service with a data folder.
        connect: Makes clients.
        folder: Has the folders of all machines.
    """

    def __init__(self, url, services, *, connect, folder):
        self.url = url
        self.folder = folder
        self.database_url = services.database.url
        root = folder / "interface"
        self.storage = Storage(root, RemoteArtifacts(url, root, pause_s=0.0))
        uploads = Uploads(services.database, self.storage)
        self.services = replace(services, storage=self.storage, uploads=uploads, policy=POLICY)
        self.store = services.store
        self.client = connect(self.services)
        self.stack = ExitStack()
        self.stack.callback(self.storage.artifacts.close)

    def machine(self, name, **options):
        """Open a workplace on a machine of its own."""
        given = {
            "policy": POLICY,
            "sizes": ChunkSizes(target_s=CHUNK_S),
            "artifacts_url": self.url,
            "patience_s": NEXT_TO_NONE_S,
            **options,
        }
        place = open_workplace(self.database_url, self.folder / name, options=WorkOptions(**given))
        return self.stack.enter_context(place)

    def submit(self, video, outputs=("mot",)):
        """Upload a video in the form of a submission; return the answer."""
        return self.client.post(
            "/v1/jobs",
            files={"file": ("street.mp4", video.read_bytes())},
            data={"job": json.dumps({"outputs": list(outputs)})},
        )

    def accept(self, video, **options):
        answer = self.submit(video, **options)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def add(self, video, stages):
        """Add a job with stages that the interface does not offer; return its id."""
        job_id = self.accept(video)
        job = self.store.get(job_id)
        self.store.cancel(job_id, policy=POLICY, now_s=time.time())
        other = f"{job_id}-2"
        spec = replace(job.spec, definition={"stages": stages}, upload=other)
        upload = self.storage.upload(other)
        upload.write_bytes(video.read_bytes())
        transfers.give_upload(self.storage, other, other)
        self.store.add(Job(id=other, owner=job.owner, spec=spec, created_at=time.time()))
        return other

    def run(self, place):
        """Do all that is to be done on one machine."""
        executor = InlineExecutor(place)
        executor.start()
        executor.run_until_idle()

    def claim(self, place, kind):
        lease = place.store.claim([kind], worker="desk", policy=POLICY, now_s=time.time())
        assert lease is not None
        return lease

    def do(self, place, kind, **options):
        return do_task(self.claim(place, kind), place, **options)

    def get(self, job_id, path="", **about):
        return self.client.get(f"/v1/jobs/{job_id}{path}", **about)

    def kept(self, job_id):
        """Name what is kept of a job; of results and chunks without their tokens."""
        folder = self.storage.job(job_id).folder
        found = [file.path.relative_to(folder) for file in self.storage.artifacts.find(folder)]
        return {re.sub(r"^(results|chunks/\d+)\.\w+", r"\1", str(path)) for path in found}

    def uploads(self):
        return self.storage.artifacts.find(self.storage.root / "uploads")


@pytest.fixture(scope="module")
def s3_server():
    with closing(S3Server()) as server:
        yield server


@pytest.fixture
def make_site(services, connect, tmp_path):
    with ExitStack() as stack:

        def make(url):
            site = Site(url, services, connect=connect, folder=tmp_path / "machines")
            stack.enter_context(site.stack)
            return site

        yield make


@pytest.fixture
def site(make_site):
    """A site whose store is in memory, and can be told to fail."""
    FailingSystem.reset()
    return make_site(memory_url("failing"))


def test_a_job_is_done_by_machines_that_share_nothing_but_s3(
    s3_server, make_site, monkeypatch, street
):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.bucket()
    site = make_site(f"s3://{bucket}/jobs of all")
    video, mot = street
    job_id = site.accept(video)
    ingests, detects, finalizes = (site.machine(name) for name in ("a", "b", "c"))
    site.do(ingests, TaskKind.INGEST)
    for _ in range(site.store.get(job_id).progress.chunks_total):
        site.do(detects, TaskKind.CHUNK)
    site.do(finalizes, TaskKind.FINAL)

    assert site.get(job_id).json()["status"] == "succeeded"
    assert site.get(job_id, "/results/mot").content == mot
    assert site.get(job_id, "/results/mot", headers={"range": "bytes=10-19"}).content == mot[10:20]
    assert site.get(job_id, "/video").content == video.read_bytes()
    assert site.get(job_id, "/thumbnail.jpg").content.startswith(b"\xff\xd8")
    assert site.get(job_id, "/tracks").json()["tracks"]
    listed = site.get(job_id, "/results").json()["results"]
    assert {item["format"]: item["size"] for item in listed}["mot"] == len(mot)

    token = site.store.tasks(job_id)[-1].result
    names = {key.removeprefix("jobs of all/") for key in s3_server.keys(bucket)}
    results = {f"jobs/{job_id}/results.{token}/{name}" for name in ("mot.txt", "summary.json")}
    assert names >= results
    assert {name for name in names - results if "results." not in name} == {
        f"jobs/{job_id}/thumbnail.jpg",
        f"uploads/{site.store.get(job_id).spec.upload}",
    }
    assert site.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert s3_server.keys(bucket) == []
    assert not site.storage.job(job_id).folder.exists()


def test_tracks_are_shown_while_a_machine_is_still_at_the_final_pass(site, street, monkeypatch):
    monkeypatch.setattr(transfers.GrowingIndex.__init__, "__kwdefaults__", {"every_s": 0.05})
    monkeypatch.setattr("sightline.jobs.shelf._FRESH_S", 0.0)
    video, mot = street
    job_id = site.accept(video)
    detects, finalizes = site.machine("a"), site.machine("b")
    site.do(detects, TaskKind.INGEST)
    assert site.get(job_id, "/tracks").status_code == 404
    site.do(detects, TaskKind.CHUNK)
    final = threading.Thread(target=site.do, args=(finalizes, TaskKind.FINAL))
    final.start()

    def tracks():
        return site.get(job_id, "/tracks").json().get("tracks", [])

    until(tracks)
    few = max(track["last_frame"] for track in tracks())
    assert site.get(job_id).json()["status"] == "running"
    site.do(detects, TaskKind.CHUNK)
    until(lambda: max(track["last_frame"] for track in tracks()) > few)
    copies = list(site.storage.job(job_id).folder.glob("growing.*"))
    assert 1 <= len(copies) <= 2
    for _ in site.store.tasks(job_id)[3:-1]:
        site.do(detects, TaskKind.CHUNK)
    final.join()
    assert site.get(job_id, "/results/mot").content == mot
    assert "growing.sqlite" not in site.kept(job_id)


def test_machines_with_one_folder_and_a_store_fetch_nothing(site, street):
    """Such as a service with a remote store whose workers are all on its own machine."""
    job_id = site.accept(street[0])
    site.run(site.machine("interface"))
    assert site.get(job_id, "/results/mot").content == street[1]
    assert site.get(job_id, "/video").content == street[0].read_bytes()
    assert [path for method, path in FailingSystem.asked if method == "get_file"] == []


def test_a_video_is_fetched_once_per_machine(site, street):
    site.accept(street[0])
    site.run(site.machine("a"))
    fetched = [path for method, path in FailingSystem.asked if method == "get_file"]
    assert sum("uploads/" in path for path in fetched) == 1
    assert not [path for path in fetched if "chunks/" in path]


def away():
    return ConnectionError("no route to host")


@pytest.mark.parametrize("method", ["get_file", "put_file", "info"])
def test_a_task_that_meets_a_store_that_is_away_is_tried_again(site, street, method):
    job_id = site.accept(street[0])
    FailingSystem.fail(method, away(), times=1)
    site.run(site.machine("a"))
    assert site.store.get(job_id).state is JobState.SUCCEEDED
    assert site.get(job_id, "/results/mot").content == street[1]
    assert max(task.attempt for task in site.store.tasks(job_id)) == 2


def test_a_patient_task_asks_a_store_that_is_away_again_by_itself(site, street):
    job_id = site.accept(street[0])
    FailingSystem.fail("put_file", away(), times=2)
    site.run(site.machine("a", patience_s=60.0))
    assert site.store.get(job_id).state is JobState.SUCCEEDED
    assert max(task.attempt for task in site.store.tasks(job_id)) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "storage-full"),
        (OSError("XMinioStorageFull: free some space"), "storage-full"),
        (PermissionError("Access Denied"), "storage-unavailable"),
    ],
)
def test_a_store_that_stays_unusable_ends_the_job_with_a_clear_reason(site, street, error, code):
    job_id = site.accept(street[0])
    FailingSystem.fail("put_file", error)
    site.run(site.machine("a", patience_s=60.0))
    job = site.store.get(job_id)
    assert (job.state, job.failure.code) == (JobState.FAILED, code)
    assert site.url.partition("://")[2] not in job.failure.message
    FailingSystem.reset()
    assert site.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    site.run(site.machine("a"))
    assert site.store.get(job_id).state is JobState.SUCCEEDED


def test_who_asks_while_the_store_is_away_is_told_to_come_again(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    for method in ("info", "find"):
        FailingSystem.fail(method, away())
    for path in ("/results", "/results/mot", "/tracks", "/thumbnail.jpg"):
        answer = site.get(job_id, path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["type"] == "urn:sightline:problem:unavailable"
        assert site.url not in answer.text
    assert site.get(job_id).status_code == 200
    FailingSystem.reset()
    assert site.get(job_id, "/results/mot").content == street[1]


def test_an_upload_that_cannot_be_put_is_no_job_and_can_be_submitted_again(site, street):
    content = street[0].read_bytes()
    head = {"tus-resumable": "1.0.0"}
    created = site.client.post(
        "/v1/uploads",
        headers={
            **head,
            "upload-length": str(len(content)),
            "content-type": "application/offset+octet-stream",
        },
        content=content,
    )
    upload = created.headers["location"].rpartition("/")[2]
    assert site.uploads() == []
    FailingSystem.fail("put_file", away())
    refused = site.client.post("/v1/jobs", json={"upload": upload, "outputs": ["mot"]})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    FailingSystem.fail("put_file", OSError(errno.ENOSPC, "full"))
    assert site.client.post("/v1/jobs", json={"upload": upload}).status_code == 507
    assert site.client.get("/v1/jobs").json()["jobs"] == []
    FailingSystem.reset()
    answers = [
        site.client.post("/v1/jobs", json={"upload": upload, "outputs": ["mot"]}) for _ in "12"
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [file.path.name for file in site.uploads()] == [upload]
    site.run(site.machine("a"))
    assert site.get(answers[0].json()["id"], "/results/mot").content == street[1]


def test_results_of_a_final_pass_that_fails_late_are_shown_until_a_retry_has_better_ones(
    site, street, tmp_path
):
    fails_once = stage("Raises", at=30, flag=tmp_path / "failed")
    job_id = site.add(street[0], [*DETECT_TRACK["stages"], fails_once])
    place = site.machine("a")
    site.run(place)
    job = site.store.get(job_id)
    assert (job.state, job.failure.code) == (JobState.FAILED, "stage-failed")
    some = site.get(job_id, "/results/mot").content
    assert some
    assert street[1].startswith(some)
    assert site.get(job_id, "/tracks").json()["tracks"]
    assert site.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    site.run(place)
    assert site.get(job_id, "/results/mot").content == street[1]
    assert len([name for name in site.kept(job_id) if "mot.txt" in name]) == 1


def test_of_a_job_that_succeeded_only_what_is_shown_is_kept(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    names = {"mot.txt", "summary.json", "results.sqlite"}
    assert site.kept(job_id) == {"thumbnail.jpg"} | {f"results/{name}" for name in names}


def test_what_a_lost_attempt_has_put_is_removed(site, street):
    job_id = site.accept(street[0])
    place = site.machine("a")
    site.do(place, TaskKind.INGEST)

    def lose(_):
        site.store.forfeit(["desk"], counted=False, policy=POLICY, now_s=time.time())

    site.do(place, TaskKind.CHUNK, watch=lose)
    assert not [name for name in site.kept(job_id) if name.startswith("chunks")]
    while site.store.outstanding()[Queue.DETECT, TaskKind.CHUNK, "ready"]:
        site.do(place, TaskKind.CHUNK)
    site.do(place, TaskKind.FINAL, watch=lose)
    assert not [name for name in site.kept(job_id) if name.startswith("results")]
    site.do(place, TaskKind.FINAL)
    assert site.get(job_id, "/results/mot").content == street[1]


def put(site, *paths, content=b"left behind"):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        site.storage.artifacts.put(path)
        path.unlink()


def test_what_killed_workers_have_put_is_tidied_up_when_it_is_old(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    before = site.kept(job_id)
    files, gone = site.storage.job(job_id), site.storage.job("0-gone")
    put(
        site,
        files.chunk(0, "dead"),
        files.shared_results("dead") / "mot.txt",
        files.growing,
        gone.thumbnail,
        site.storage.upload("0-gone"),
    )
    tidier = RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known)
    tidier.tidy(time.time())
    assert site.kept(job_id) > before
    tidier.tidy(time.time() + 1000)
    assert site.kept(job_id) == before
    assert site.kept("0-gone") == set()
    assert [file.path.name for file in site.uploads()] == [site.store.get(job_id).spec.upload]
    assert site.get(job_id, "/results/mot").content == street[1]


class DiesBeforeItIsNotedError(BaseException):
    """Stands for a worker that is killed between putting its results and noting them."""


def begin_final(site, video):
    """Do a job up to its final pass; return its id and the machine."""
    job_id, place = site.accept(video), site.machine("a")
    site.do(place, TaskKind.INGEST)
    while site.store.outstanding()[Queue.DETECT, TaskKind.CHUNK, "ready"]:
        site.do(place, TaskKind.CHUNK)
    return job_id, place


def die_before_it_is_noted(site, place, monkeypatch):
    """Do a final pass whose worker is killed when all is put, and end its lease."""

    def die(*_, **__):
        raise DiesBeforeItIsNotedError

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "finish_final", die)
        with pytest.raises(DiesBeforeItIsNotedError):
            site.do(place, TaskKind.FINAL)
    # A minute ago, so that the next attempt need not wait.
    site.store.forfeit(["desk"], counted=True, policy=POLICY, now_s=time.time() - 60)


def results_of(site, job_id):
    """Name the folders of results that are kept of a job."""
    found = site.storage.artifacts.find(site.storage.job(job_id).folder)
    return {file.path.parent.name for file in found if file.path.parent.name.startswith("results")}


def test_results_that_were_put_and_never_noted_go_when_the_next_attempt_has_put_its_own(
    site, street, monkeypatch
):
    job_id, place = begin_final(site, street[0])
    die_before_it_is_noted(site, place, monkeypatch)
    (left,) = results_of(site, job_id)
    site.do(place, TaskKind.FINAL)
    assert results_of(site, job_id) == {f"results.{site.store.tasks(job_id)[-1].result}"} != {left}
    assert site.get(job_id, "/results/mot").content == street[1]


def test_of_results_that_no_attempt_has_noted_the_last_are_shown_and_go_with_their_job(
    site, street, monkeypatch
):
    job_id, place = begin_final(site, street[0])
    for _ in range(POLICY.max_attempts):
        die_before_it_is_noted(site, place, monkeypatch)
    job = site.store.get(job_id)
    assert (job.state, job.failure.code) == (JobState.FAILED, "worker-lost")
    assert len(results_of(site, job_id)) == POLICY.max_attempts
    tidier = RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known)
    tidier.tidy(time.time() + 1000)
    assert len(results_of(site, job_id)) == 1
    assert site.get(job_id, "/results/mot").content == street[1]
    assert site.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert site.kept(job_id) == set()


def test_what_was_put_and_never_noted_is_tidied_up_though_the_service_was_away_for_long(
    site, street, monkeypatch
):
    job_id, place = begin_final(site, street[0])
    die_before_it_is_noted(site, place, monkeypatch)
    FailingSystem.fail("rm", away())  # so that nothing goes at the end of the job either
    site.do(place, TaskKind.FINAL)
    assert len(results_of(site, job_id)) == 2
    tidier = RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known)
    with pytest.raises(ArtifactError):
        tidier.tidy(time.time() + 1000)
    FailingSystem.reset()
    again = RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known)
    again.tidy(time.time() + 30 * DAY_S)
    assert len(results_of(site, job_id)) == 1
    assert site.kept(job_id) == {
        "thumbnail.jpg",
        *(f"results/{name}" for name in ("mot.txt", "summary.json", "results.sqlite")),
    }
    assert site.get(job_id, "/results/mot").content == street[1]


def test_jobs_that_ended_long_before_the_last_round_are_not_looked_into_again(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    folder = f"jobs/{job_id}"

    def looked_into(now_s):
        FailingSystem.asked.clear()
        RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known).tidy(
            now_s
        )
        return any(name == "find" and path.endswith(folder) for name, path in FailingSystem.asked)

    now_s = time.time()
    assert looked_into(now_s)
    assert looked_into(now_s + 10 * DAY_S), "it may have left something after the round before"
    assert not looked_into(now_s + 10 * DAY_S + 3600)


def test_a_deleted_job_leaves_no_object_and_no_copy(site, street):
    job_id = site.accept(street[0])
    place = site.machine("a")
    site.run(place)
    site.get(job_id, "/results/mot")
    assert site.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert site.kept(job_id) == set()
    assert site.uploads() == []
    assert not site.storage.job(job_id).folder.exists()
    worker = Housekeeper(site.store, place.storage, policy=POLICY)
    worker.tidy(time.time() + DAY_S)
    assert not place.storage.job(job_id).folder.exists()


def test_a_job_that_expires_leaves_no_object_and_no_copy(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    later_s = site.store.get(job_id).expires_at + 1
    Housekeeper(site.store, site.storage, policy=POLICY).sweep(later_s)
    site.services.uploads.expire(later_s)
    assert site.store.get(job_id).state is JobState.EXPIRED
    assert site.kept(job_id) == set()
    assert site.uploads() == []
    assert site.get(job_id, "/results/mot").status_code == 404


def test_what_a_store_that_is_away_keeps_of_a_deleted_job_goes_later(site, street):
    job_id = site.accept(street[0])
    site.run(site.machine("a"))
    FailingSystem.fail("rm", away())
    assert site.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert site.kept(job_id) != set() != site.uploads()
    FailingSystem.reset()
    tidier = RemoteTidier(site.store, site.storage, known_uploads=site.services.uploads.known)
    tidier.tidy(time.time() + 1000)
    assert site.kept(job_id) == set()
    assert site.uploads() == []


def test_a_machine_keeps_to_its_room_for_copies(site, street):
    jobs = [site.accept(street[0]) for _ in range(3)]
    place = site.machine("a", cache_bytes=1)
    site.run(place)

    def kept():
        place.storage.artifacts.trim()
        return [job for job in jobs if place.storage.job(job).folder.exists()]

    until(lambda: not kept())
    for job_id in jobs:
        assert site.get(job_id, "/results/mot").content == street[1]
