import os
import shutil

import pytest
from tests.graph_witness import until

from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.model import Failure, Job, JobSpec, VideoFacts
from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.store import Finalized, Ingested, LeasePolicy
from sightline.testing.job_store import MemoryJobStore

POLICY = LeasePolicy(lease_s=10.0, keep_s=100.0)
SPEC = JobSpec(
    source_name="a.mp4", upload="a", pipeline="p", params={}, definition={}, outputs=("mot",)
)
VIDEO = VideoFacts(
    container="mp4",
    codec="h264",
    width=2,
    height=2,
    frame_rate=None,
    duration_s=None,
    frames=None,
    size_bytes=1,
    sha256="",
    playable=True,
)
DAY_S = 86400.0


class Jobs:
    def __init__(self, root):
        self.store = MemoryJobStore()
        self.storage = Storage(root)
        self.now_s = 1000.0

    def housekeeper(self, **options):
        return Housekeeper(
            self.store, self.storage, policy=POLICY, clock=lambda: self.now_s, **options
        )

    def claim(self, kind):
        return self.store.claim([kind], worker="w", policy=POLICY, now_s=self.now_s)

    def add(self, job_id, end):
        """Add a job that has succeeded or failed, with all the files that it may have."""
        self.store.add(Job(id=job_id, spec=SPEC, created_at=self.now_s))
        lease = self.claim(TaskKind.INGEST)
        if end is JobState.SUCCEEDED:
            self.store.finish_ingest(lease, Ingested(video=VIDEO), now_s=self.now_s)
            lease = self.claim(TaskKind.FINAL)
            done = Finalized(frames=1)
            self.store.finish_final(lease, done, policy=POLICY, now_s=self.now_s)
        elif end is JobState.FAILED:
            failure = Failure(code="internal-error", message="x")
            self.store.fail(lease, failure, again=False, policy=POLICY, now_s=self.now_s)
        assert end is None or self.store.get(job_id).state is end
        return self.make_files(job_id)

    def make_files(self, job_id, age_s=DAY_S):
        folder = self.storage.job(job_id).folder
        for name in (
            "source",
            "source.ab",
            "source.cd.part",
            "chunks/0000.ab",
            "final.cd/x",
            "results/mot.txt",
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (self.now_s - age_s, self.now_s - age_s))
        return folder


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_lease_that_ended_is_ready_again(jobs):
    jobs.add("job-1", None)
    jobs.now_s += POLICY.lease_s + 1
    jobs.housekeeper().sweep(jobs.now_s)
    assert jobs.store.tasks("job-1")[0].state is TaskState.READY


def test_the_files_of_an_expired_job_are_removed(jobs):
    folder = jobs.add("job-1", JobState.SUCCEEDED)
    other = jobs.add("job-2", None)
    jobs.now_s += POLICY.keep_s + 1
    jobs.housekeeper().sweep(jobs.now_s)
    assert jobs.store.get("job-1").state is JobState.EXPIRED
    assert not folder.exists()
    assert other.exists()


def test_files_of_an_expired_job_that_were_left_are_removed_later(jobs):
    jobs.add("job-1", JobState.SUCCEEDED)
    jobs.now_s += POLICY.keep_s + 1
    jobs.store.sweep(policy=POLICY, now_s=jobs.now_s)
    folder = jobs.make_files("job-1")
    jobs.housekeeper().tidy(jobs.now_s)
    assert not folder.exists()


def test_a_job_that_succeeded_keeps_its_results_alone(jobs):
    folder = jobs.add("job-1", JobState.SUCCEEDED)
    jobs.housekeeper().tidy(jobs.now_s)
    assert names(folder) == ["results", "source"]


def test_a_job_that_failed_keeps_its_chunks_for_a_retry(jobs):
    folder = jobs.add("job-1", JobState.FAILED)
    jobs.housekeeper().tidy(jobs.now_s)
    assert names(folder) == ["chunks", "results", "source"]


def test_a_job_at_work_keeps_everything(jobs):
    folder = jobs.add("job-1", None)
    jobs.housekeeper().tidy(jobs.now_s)
    assert len(names(folder)) == 6


def test_a_folder_without_job_is_removed_once_it_is_old(jobs):
    old, young = jobs.make_files("job-1"), jobs.make_files("job-2", age_s=60.0)
    jobs.housekeeper().tidy(jobs.now_s)
    assert not old.exists()
    assert young.exists()


def test_a_job_that_is_deleted_meanwhile_keeps_no_other_from_being_tidied(jobs):
    folders = [jobs.make_files(f"job-{number}") for number in range(6)]

    class SomebodyDeletes(MemoryJobStore):
        """Lets a client delete the second job just after the folders were listed."""

        asked = 0

        def get(self, job_id):
            self.asked += 1
            if self.asked == 2:
                shutil.rmtree(jobs.storage.job(job_id).folder)
            return super().get(job_id)

    jobs.store = SomebodyDeletes()
    jobs.housekeeper().tidy(jobs.now_s)
    assert [folder for folder in folders if folder.exists()] == []


def test_a_folder_that_cannot_be_a_jobs_is_left_alone(jobs):
    strange = jobs.storage.root / "jobs" / "Lost+Found"
    strange.mkdir(parents=True)
    jobs.housekeeper().tidy(jobs.now_s)
    assert strange.exists()


def test_a_chore_that_fails_keeps_nobody_from_the_others(jobs, caplog):
    done = []

    def fail(now_s):
        raise ConnectionError("away")

    with jobs.housekeeper(chores=[fail, done.append]):
        until(lambda: done)
    assert done == [1000.0]
    assert "away" in caplog.text
