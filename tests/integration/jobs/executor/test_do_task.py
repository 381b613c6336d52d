"""Single tasks, each to one of the ends that it can come to."""

import time

import pytest
from tests.job_service import detect_track, stage

from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.work import do_task
from sightline.jobs.workplace import WorkOptions, Workplace

NOTHING = frozenset()


class StoreThatGoesAway(SqlJobStore):
    """Cannot be reached when a task is finished."""

    def finish_chunk(self, lease, done, *, now_s):
        raise ConnectionError("away")

    def finish_final(self, lease, done, *, policy, now_s):
        raise ConnectionError("away")


class Desk:
    """Does the tasks of a service one by one, in this thread."""

    def __init__(self, service):
        self.service = service
        self.place = service.open_workplace()

    def claim(self, kind):
        lease = self.place.store.claim(
            [kind], worker="desk", policy=self.service.policy, now_s=time.time()
        )
        assert lease is not None
        return lease

    def do(self, kind, **options):
        return do_task(self.claim(kind), self.place, **options)

    def begin(self, video, *stages, **spec):
        """Submit a job and do its ingest; return its id."""
        job_id = self.service.submit(video, detect_track(*stages), **spec)
        self.do(TaskKind.INGEST)
        return job_id

    def chunk(self, job_id, number=0):
        return self.service.chunks(job_id)[number]

    def chunk_files(self, job_id):
        folder = self.service.storage.job(job_id).chunk(0, "x").parent
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def desk(service):
    made = Desk(service)
    yield made
    made.place.close()


def test_finished_tasks_make_the_next_ones_ready_and_tell_of_them(desk, service, street):
    video, mot = street
    job_id = service.submit(video)
    assert desk.do(TaskKind.INGEST) == {TaskKind.CHUNK, TaskKind.FINAL}
    assert desk.do(TaskKind.CHUNK) == {TaskKind.FINAL}
    for _ in service.chunks(job_id)[1:]:
        assert desk.do(TaskKind.CHUNK) == NOTHING
    assert desk.do(TaskKind.FINAL) == NOTHING
    assert service.store.get(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == mot


@pytest.mark.parametrize("kind", [TaskKind.INGEST, TaskKind.CHUNK])
def test_a_task_that_is_to_be_given_back_counts_as_never_begun(desk, service, street, kind):
    job_id = service.submit(street[0]) if kind is TaskKind.INGEST else desk.begin(street[0])
    assert desk.do(kind, watch=lambda heartbeat: heartbeat.give_back()) == NOTHING
    task = next(task for task in service.store.tasks(job_id) if task.kind is kind)
    assert (task.state, task.attempt, task.failure) == (TaskState.READY, 0, None)
    assert desk.chunk_files(job_id) == []


def test_a_final_pass_gives_its_lease_back_when_its_chunks_will_not_come(desk, service, street):
    job_id = desk.begin(street[0])
    desk.do(TaskKind.CHUNK)

    def leave(heartbeat):
        heartbeat.worker_ends = True

    assert desk.do(TaskKind.FINAL, watch=leave) == NOTHING
    final = service.store.tasks(job_id)[-1]
    assert (final.state, final.attempt) == (TaskState.READY, 0)
    assert not list(service.storage.job(job_id).folder.glob("final.*"))


def test_a_task_that_fails_says_why_and_leaves_nothing_behind(desk, service, street):
    job_id = desk.begin(street[0], stage("Raises", at=3))
    assert desk.do(TaskKind.CHUNK) == NOTHING
    task = desk.chunk(job_id)
    assert (task.state, task.failure.code) == (TaskState.FAILED, "stage-failed")
    assert service.store.get(job_id).state is JobState.FAILED
    assert desk.chunk_files(job_id) == []


def test_a_task_that_may_end_better_next_time_is_ready_again(desk, service, street, tmp_path):
    job_id = desk.begin(street[0], stage("IsRefusedMemory", at=3, flag=tmp_path / "refused"))
    desk.do(TaskKind.CHUNK)
    task = desk.chunk(job_id)
    assert (task.state, task.attempt) == (TaskState.READY, 1)
    assert task.failure.code == "out-of-memory"
    assert desk.chunk_files(job_id) == []


def test_the_result_of_a_task_whose_lease_is_lost_is_removed_and_no_other(desk, service, street):
    job_id = desk.begin(street[0])

    def lose(_):
        """Lose the lease, and have somebody else do the task."""
        store = service.store
        store.forfeit(["desk"], counted=False, policy=service.policy, now_s=time.time())
        desk.do(TaskKind.CHUNK)

    assert desk.do(TaskKind.CHUNK, watch=lose) == NOTHING
    task = desk.chunk(job_id)
    assert task.state is TaskState.DONE
    path = service.storage.job(job_id).chunk(0, task.result)
    assert desk.chunk_files(job_id) == [path.name]


@pytest.fixture
def die_before_it_is_noted(desk, service):
    """Give a function that does a final pass whose worker dies when it has published its results.

    The lease ends a minute ago, so that the next attempt need not wait.
    """
    options = WorkOptions(policy=service.policy)
    with Workplace(
        StoreThatGoesAway(Database(service.url)), service.storage, options=options
    ) as place:

        def die():
            with pytest.raises(ConnectionError):
                do_task(desk.claim(TaskKind.FINAL), place)
            before_s = time.time() - 60
            service.store.forfeit(["desk"], counted=True, policy=service.policy, now_s=before_s)

        yield die


def begin_final(desk, service, video):
    """Do a job up to its final pass; return its id."""
    job_id = desk.begin(video)
    for _ in service.chunks(job_id):
        desk.do(TaskKind.CHUNK)
    return job_id


def test_results_that_were_published_and_never_noted_are_replaced_by_those_of_the_next_attempt(
    desk, service, street, die_before_it_is_noted
):
    job_id = begin_final(desk, service, street[0])
    die_before_it_is_noted()
    assert service.mot(job_id) == street[1]
    assert service.store.get(job_id).progress.frames_kept == 0
    desk.do(TaskKind.FINAL)
    assert service.store.get(job_id).state is JobState.SUCCEEDED
    assert service.mot(job_id) == street[1]
    Housekeeper(service.store, service.storage).tidy(time.time() + 1000)
    files = service.storage.job(job_id)
    assert {path.name for path in files.folder.iterdir()} == {"source", "thumbnail.jpg", "results"}


def test_results_that_no_attempt_has_noted_stay_as_long_as_their_job(
    desk, service, street, die_before_it_is_noted
):
    job_id = begin_final(desk, service, street[0])
    for _ in range(service.policy.max_attempts):
        die_before_it_is_noted()
    job = service.store.get(job_id)
    assert (job.state, job.failure.code) == (JobState.FAILED, "worker-lost")
    assert service.mot(job_id) == street[1]
    Housekeeper(service.store, service.storage).sweep(job.expires_at + 1)
    assert not service.storage.job(job_id).folder.exists()


def test_a_result_stays_when_nobody_knows_whether_the_store_has_noted_it(desk, service, street):
    job_id = desk.begin(street[0])
    lease = desk.claim(TaskKind.CHUNK)
    store = StoreThatGoesAway(Database(service.url))
    options = WorkOptions(policy=service.policy)
    with (
        Workplace(store, service.storage, options=options) as place,
        pytest.raises(ConnectionError),
    ):
        do_task(lease, place)
    assert desk.chunk(job_id).state is TaskState.LEASED
    assert service.storage.job(job_id).chunk(0, lease.token).exists()
    later_s = time.time() + service.policy.lease_s + 1
    assert service.store.sweep(policy=service.policy, now_s=later_s).requeued == 1
