"""What every store of jobs must do: the fake, SQLite and PostgreSQL."""

from dataclasses import replace

import pytest
from tests.job_values import (
    ALL_KINDS,
    CHUNK,
    FINAL,
    INGEST,
    POLICY,
    a_job,
    a_video,
    claim,
    finish,
    ingested,
    with_chunks,
)

from sightline.jobs.model import Failure, Span
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, Priority, Queue, TaskKind, TaskState
from sightline.jobs.store import (
    ChunkDone,
    Finalized,
    IdempotencyConflictError,
    IdempotencyKey,
    JobQuery,
    JobStateError,
    LeasePolicy,
    LeaseReport,
    Standing,
    Swept,
    TaskGroup,
    UnknownJobError,
)
from sightline.testing.job_store import MemoryJobStore

BROKEN = Failure(code="stage-failed", message="a stage failed")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    match request.param:
        case "memory":
            store = MemoryJobStore()
        case "sqlite":
            database = Database(f"sqlite:///{tmp_path}/jobs.sqlite")
            database.migrate()
            store = SqlJobStore(database)
        case "postgres":
            store = SqlJobStore(Database(request.getfixturevalue("postgres_url")))
    yield store
    store.close()


def states(store, job_id):
    return [task.state.value for task in store.tasks(job_id)]


def state(store, job_id):
    return store.get(job_id).state


def ids(found):
    return [job.id for job in found]


# Accepting and finding jobs


def test_a_job_comes_back_as_it_was_added(store):
    job = a_job(owner="ann", labels={"site": "north"}, start_s=1.5, end_s=9.0, max_failures=3)
    assert store.add(job) == job
    assert store.get(job.id) == job


def test_an_unknown_job_is_an_error_whatever_is_asked(store):
    for ask in (
        store.get,
        store.tasks,
        store.delete,
        lambda job_id: store.cancel(job_id, policy=POLICY, now_s=0.0),
        lambda job_id: store.retry(job_id, now_s=0.0),
    ):
        with pytest.raises(UnknownJobError, match="no job 'nope'"):
            ask("nope")


def test_a_new_job_has_an_ingest_to_be_done_and_a_final_pass_that_waits(store):
    job = store.add(a_job())
    ingest, final = store.tasks(job.id)
    assert (ingest.kind, ingest.state) == (TaskKind.INGEST, TaskState.READY)
    assert (final.kind, final.state) == (TaskKind.FINAL, TaskState.WAITING)


def test_a_repeated_submission_is_the_same_job(store):
    key = IdempotencyKey(key="k", digest="d")
    first = store.add(a_job(), idempotency=key)
    assert store.add(a_job(), idempotency=key).id == first.id
    assert store.count() == 1


def test_an_idempotency_key_belongs_to_its_owner(store):
    key = IdempotencyKey(key="k", digest="d")
    first = store.add(a_job(owner="ann"), idempotency=key)
    assert store.add(a_job(owner="bob"), idempotency=key).id != first.id


def test_another_request_under_the_same_key_is_a_conflict_and_adds_nothing(store):
    store.add(a_job(), idempotency=IdempotencyKey(key="k", digest="d"))
    with pytest.raises(IdempotencyConflictError, match="'k'"):
        store.add(a_job(), idempotency=IdempotencyKey(key="k", digest="other"))
    assert store.count() == 1


def test_jobs_are_listed_newest_first_and_in_pages(store):
    for number in range(5):
        store.add(a_job(number))
    page = store.list(JobQuery(limit=2))
    assert ids(page) == ["job-00004", "job-00003"]
    assert ids(store.list(JobQuery(limit=9, before=page[-1].id))) == [
        "job-00002",
        "job-00001",
        "job-00000",
    ]


def test_a_list_may_be_of_an_owner_of_states_of_labels_and_of_a_text(store):
    store.add(a_job(0, owner="ann", labels={"a": "1", "b": "2"}))
    store.add(a_job(1, owner="ann", labels={"a": "1"}, source_name="Straße 100%.MP4"))
    store.add(a_job(2, owner="bob", labels={"a": "2"}))
    store.cancel("job-00001", policy=POLICY, now_s=0.0)
    for query, found in (
        (JobQuery(owner="ann"), [1, 0]),
        (JobQuery(states=frozenset({JobState.CANCELED, JobState.FAILED})), [1]),
        (JobQuery(owner="ann", states=frozenset({JobState.QUEUED})), [0]),
        (JobQuery(labels={"a": "1"}), [1, 0]),
        (JobQuery(labels={"a": "1", "b": "2"}), [0]),
        (JobQuery(labels={"a": "1", "b": "1"}), []),
        (JobQuery(labels={"a": "1", "b": "2", "c": "3"}), []),
        (JobQuery(text="STRASSE 100%"), [1]),
        (JobQuery(text="100_"), []),
        (JobQuery(text="crossing", owner="bob"), [2]),
    ):
        assert ids(store.list(query)) == [f"job-{number:05d}" for number in found]


def test_counts_are_of_an_owner_and_of_jobs_that_have_not_ended(store):
    store.add(a_job(0, owner="ann"))
    store.add(a_job(1, owner="bob"))
    store.cancel("job-00000", policy=POLICY, now_s=0.0)
    assert (store.count(), store.count(active=False)) == (1, 2)
    assert (store.count(owner="ann"), store.count(owner="ann", active=False)) == (0, 1)


def test_versions_are_those_of_the_jobs_that_exist(store):
    store.add(a_job(0))
    claim(store)
    found = store.versions(["job-00000", "nope"])
    assert found == {"job-00000": store.get("job-00000").version}
    assert store.versions([]) == {}


def test_whoever_changes_something_changes_the_count_if_there_is_one(store):
    before = store.change_count()
    store.get(store.add(a_job(0)).id)
    after = store.change_count()
    store.get("job-00000")
    store.versions(["job-00000"])
    assert store.change_count() == after, "reading changes nothing"
    assert (before is None) == (after is None)
    assert before is None or before != after
    store.cancel("job-00000", policy=POLICY, now_s=0.0)
    assert after is None or store.change_count() != after


def test_the_position_of_a_queued_job_counts_the_queued_ones_before_it(store):
    for number in range(4):
        store.add(a_job(number))
    claim(store)
    asked = ["job-00003", "job-00000", "job-00001", "nope"]
    assert store.queue_positions(asked) == {"job-00001": 0, "job-00003": 2}
    assert store.queue_positions(["job-00002"]) == {"job-00002": 1}


def test_outstanding_tasks_are_counted_by_queue_kind_and_state(store):
    with_chunks(store, a_job(0), 3)
    store.add(a_job(1))
    store.add(a_job(2, priority=Priority.INTERACTIVE))
    claim(store, CHUNK)
    found = store.outstanding()
    assert {group: number for group, number in found.items() if number} == {
        TaskGroup(Queue.DETECT, TaskKind.CHUNK, "ready"): 2,
        TaskGroup(Queue.DETECT, TaskKind.CHUNK, "leased"): 1,
        TaskGroup(Queue.INGEST, TaskKind.INGEST, "ready"): 1,
        TaskGroup(Queue.INTERACTIVE, TaskKind.INGEST, "ready"): 1,
    }
    assert found[TaskGroup(Queue.FINALIZE, TaskKind.FINAL, "ready")] == 0


# Queues


def test_all_tasks_of_an_interactive_job_wait_in_one_queue_those_of_others_by_their_kind(store):
    with_chunks(store, a_job(0), 1)
    with_chunks(store, a_job(1, priority=Priority.INTERACTIVE), 1)
    assert [task.queue.value for task in store.tasks("job-00000")] == [
        "ingest",
        "detect",
        "finalize",
    ]
    assert {task.queue for task in store.tasks("job-00001")} == {Queue.INTERACTIVE}
    store.cancel("job-00001", policy=POLICY, now_s=0.0)
    store.retry("job-00001", now_s=0.0)
    assert {task.queue for task in store.tasks("job-00001")} == {Queue.INTERACTIVE}


def test_interactive_jobs_are_claimed_first(store):
    with_chunks(store, a_job(0), 2)
    store.add(a_job(1))
    store.add(a_job(2, priority=Priority.INTERACTIVE))
    store.add(a_job(3, priority=Priority.INTERACTIVE))
    assert store.queue_positions(["job-00001", "job-00002", "job-00003"]) == {
        "job-00001": 2,
        "job-00002": 0,
        "job-00003": 1,
    }
    order = [2, 3, 0, 0, 1]
    assert [claim(store).job.id for _ in order] == [f"job-{number:05d}" for number in order]
    assert claim(store) is None


def test_a_claim_with_queues_gets_only_theirs_in_the_order_given(store):
    with_chunks(store, a_job(0), 2)
    store.add(a_job(1))
    store.add(a_job(2, priority=Priority.INTERACTIVE))
    assert claim(store, queues=[Queue.FINALIZE]) is None
    assert claim(store, CHUNK, queues=[Queue.INGEST]) is None
    for queues, found in (
        ([Queue.INGEST, Queue.DETECT], ("job-00001", TaskKind.INGEST)),
        ([Queue.INGEST, Queue.DETECT], ("job-00000", TaskKind.CHUNK)),
        ([Queue.DETECT, Queue.INTERACTIVE], ("job-00000", TaskKind.CHUNK)),
        ([Queue.DETECT, Queue.INTERACTIVE], ("job-00002", TaskKind.INGEST)),
    ):
        lease = claim(store, queues=queues)
        assert (lease.job.id, lease.task.kind) == found
    assert claim(store) is None


def test_a_worker_without_queues_gets_nothing(store):
    store.add(a_job())
    assert claim(store, queues=[]) is None


def test_a_chunk_may_be_claimed_of_one_job_alone(store):
    with_chunks(store, a_job(0), 1)
    job_id = with_chunks(store, a_job(1, priority=Priority.INTERACTIVE), 2)
    fields = {"worker": "worker", "policy": POLICY, "now_s": 0.0}
    leases = [store.claim_chunk(job_id, **fields) for _ in range(3)]
    assert [lease and (lease.job.id, lease.task.number) for lease in leases] == [
        (job_id, 0),
        (job_id, 1),
        None,
    ]
    assert store.chunks(job_id, first=0, limit=2) == [lease.task for lease in leases[:2]]


# What workers ask


def test_chunks_are_listed_from_a_number_on(store):
    job_id = with_chunks(store, a_job(), 5)
    chunks = store.tasks(job_id)[1:-1]
    assert store.chunks(job_id, first=0, limit=9) == chunks
    assert store.chunks(job_id, first=1, limit=2) == chunks[1:3]
    assert store.chunks(job_id, first=5, limit=2) == []
    assert store.chunks("nope", first=0, limit=2) == []


def test_who_has_a_lease_may_ask_what_to_do_and_changes_nothing(store):
    job_id = with_chunks(store, a_job(), 3)
    lease, other, late = (claim(store, CHUNK) for _ in range(3))
    before = store.get(job_id)
    assert store.standing(lease) is Standing.GO_ON
    assert store.get(job_id) == before
    store.release(late, policy=POLICY, now_s=0.0)
    assert store.standing(late) is Standing.LOST
    store.fail(other, BROKEN, again=False, policy=POLICY, now_s=0.0)
    assert store.standing(lease) is Standing.WRAP_UP
    assert store.standing(other) is Standing.LOST
    store.release(lease, policy=POLICY, now_s=0.0)
    store.delete(job_id)
    assert store.standing(lease) is Standing.LOST


def test_who_has_a_lease_hears_that_the_job_is_canceled(store):
    job_id = with_chunks(store, a_job(), 1)
    lease = claim(store, CHUNK)
    store.cancel(job_id, policy=POLICY, now_s=0.0)
    assert store.standing(lease) is Standing.WRAP_UP


# The way of a job that goes well


def test_a_job_runs_from_its_first_claim_to_its_success(store):
    job = store.add(a_job())
    lease = claim(store, INGEST, now_s=1.0)
    assert lease.job == store.get(job.id)
    assert lease.task == store.tasks(job.id)[0]
    assert (lease.job.state, lease.job.started_at) == (JobState.RUNNING, 1.0)
    assert store.finish_ingest(lease, ingested(2), now_s=2.0)
    assert store.get(job.id).video == a_video()
    for lease in (claim(store, CHUNK, now_s=3.0), claim(store, CHUNK, now_s=3.0)):
        assert store.finish_chunk(lease, ChunkDone(frames=50), now_s=4.0)
    assert state(store, job.id) is JobState.FINALIZING
    lease = claim(store, FINAL, now_s=5.0)
    done = Finalized(frames=100, summary={"tracks": 7, "classes": {"person": 3}})
    assert store.finish_final(lease, done, policy=POLICY, now_s=6.0)
    ended = store.get(job.id)
    assert (ended.state, ended.finished_at, ended.expires_at) == (JobState.SUCCEEDED, 6.0, 1006.0)
    assert (ended.summary, ended.partial) == (done.summary, False)
    assert [task.result for task in store.tasks(job.id)][-1] == lease.token


def test_chunks_keep_their_spans_and_are_given_out_in_the_order_of_the_video(store):
    job_id = with_chunks(store, a_job(), 3)
    spans = [task.span for task in store.tasks(job_id)[1:-1]]
    assert spans[0] == Span(begin_pts=None, end_pts=33, seek_pts=0)
    assert [claim(store, CHUNK).task.span for _ in spans] == spans
    assert claim(store, CHUNK) is None


def test_the_oldest_job_comes_first_whatever_the_kinds(store):
    with_chunks(store, a_job(1))
    store.add(a_job(0))
    assert claim(store).job.id == "job-00000"
    assert claim(store).job.id == "job-00001"
    assert claim(store, FINAL) is None


def test_the_final_pass_begins_when_the_first_chunk_is_done(store):
    job_id = with_chunks(store, a_job(), 2)
    first, second = claim(store, CHUNK), claim(store, CHUNK)
    store.finish_chunk(second, ChunkDone(frames=50), now_s=0.0)
    assert claim(store, FINAL) is None
    store.finish_chunk(first, ChunkDone(frames=50), now_s=0.0)
    assert claim(store, FINAL).task.kind is TaskKind.FINAL
    assert state(store, job_id) is JobState.FINALIZING


def test_a_final_pass_that_ends_before_the_chunks_is_refused_and_undone(store):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    lease = claim(store, FINAL)
    before = store.get(job_id), store.tasks(job_id)
    with pytest.raises(JobStateError, match="running and cannot become succeeded"):
        store.finish_final(lease, Finalized(frames=1), policy=POLICY, now_s=0.0)
    assert (store.get(job_id), store.tasks(job_id)) == before


def test_a_job_without_chunks_is_done_by_its_final_pass(store):
    job_id = with_chunks(store, a_job(), 0)
    assert state(store, job_id) is JobState.FINALIZING
    lease = claim(store, FINAL, now_s=3.0)
    store.renew(lease, LeaseReport(frames_done=40), policy=POLICY, now_s=4.0)
    progress = store.get(job_id).progress
    assert (progress.frames_done, progress.frames_final, progress.detect_since) == (40, 40, 3.0)
    assert finish(store, lease, frames=98)
    assert state(store, job_id) is JobState.SUCCEEDED
    assert store.get(job_id).progress.frames_total == 98


def test_progress_follows_the_reports_of_the_workers(store):
    job = store.add(a_job())
    assert store.get(job.id).progress.step is None
    lease = claim(store, INGEST, now_s=1.0)
    report = LeaseReport(bytes_done=10, bytes_total=40)
    assert store.renew(lease, report, policy=POLICY, now_s=2.0) is Standing.GO_ON
    progress = store.get(job.id).progress
    assert (progress.step, progress.bytes_done, progress.bytes_total) == ("ingest", 10, 40)
    store.finish_ingest(lease, ingested(2), now_s=3.0)
    first, second = claim(store, CHUNK, now_s=4.0), claim(store, CHUNK, now_s=5.0)
    store.renew(first, LeaseReport(frames_done=7), policy=POLICY, now_s=6.0)
    store.renew(second, LeaseReport(frames_done=3), policy=POLICY, now_s=6.0)
    progress = store.get(job.id).progress
    assert (progress.step, progress.frames_done, progress.frames_total) == ("detect", 10, 100)
    assert (progress.chunks_total, progress.chunks_running, progress.detect_since) == (2, 2, 4.0)
    store.finish_chunk(first, ChunkDone(frames=50), now_s=7.0)
    store.finish_chunk(second, ChunkDone(frames=48), now_s=7.0)
    progress = store.get(job.id).progress
    assert (progress.step, progress.frames_done, progress.frames_total) == ("finalize", 98, 98)
    assert (progress.chunks_done, progress.chunks_running) == (2, 0)
    final = claim(store, FINAL)
    store.renew(final, LeaseReport(frames_done=60), policy=POLICY, now_s=8.0)
    assert store.get(job.id).progress.frames_final == 60


def test_every_change_that_can_be_seen_makes_the_version_grow(store):
    job_id = with_chunks(store, a_job(), 1)
    lease = claim(store, CHUNK)
    versions = [store.get(job_id).version]
    for frames in (1, 2):
        store.renew(lease, LeaseReport(frames_done=frames), policy=POLICY, now_s=1.0)
        versions.append(store.get(job_id).version)
    assert versions == sorted(set(versions))
    store.renew(lease, LeaseReport(frames_done=2), policy=POLICY, now_s=2.0)
    assert store.get(job_id).version == versions[-1]
    assert store.tasks(job_id)[1].leased_until == 32.0


def test_warnings_are_in_the_order_of_the_video_each_once(store):
    job_id = store.add(a_job()).id
    store.finish_ingest(claim(store), ingested(2, warnings=["no duration"]), now_s=0.0)
    first, second = claim(store, CHUNK), claim(store, CHUNK)
    store.finish_chunk(second, ChunkDone(frames=1, warnings=["b", "a"]), now_s=0.0)
    store.finish_chunk(first, ChunkDone(frames=1, warnings=["a"]), now_s=0.0)
    assert store.get(job_id).warnings == ("no duration", "a", "b")


# Leases


def test_nothing_is_leased_twice(store):
    with_chunks(store, a_job(), 3)
    leases = [claim(store, CHUNK) for _ in range(3)]
    assert len({lease.task.number for lease in leases}) == 3
    assert len({lease.token for lease in leases}) == 3
    assert claim(store, CHUNK) is None


def test_a_lease_that_ran_out_is_lost_and_the_task_is_done_by_another(store):
    job_id = with_chunks(store, a_job(), 1)
    lost = claim(store, CHUNK, now_s=0.0)
    assert store.sweep(policy=POLICY, now_s=29.0) == Swept()
    assert store.sweep(policy=POLICY, now_s=30.0) == Swept(requeued=1)
    taken = claim(store, CHUNK, now_s=40.0)
    assert (taken.task.attempt, taken.task.failure.code) == (2, "worker-lost")
    before = store.get(job_id), store.tasks(job_id)
    assert store.renew(lost, LeaseReport(), policy=POLICY, now_s=41.0) is Standing.LOST
    assert not store.finish_chunk(lost, ChunkDone(frames=5), now_s=41.0)
    assert not store.fail(lost, BROKEN, again=True, policy=POLICY, now_s=41.0)
    assert not store.release(lost, policy=POLICY, now_s=41.0)
    assert (store.get(job_id), store.tasks(job_id)) == before
    assert store.finish_chunk(taken, ChunkDone(frames=5), now_s=41.0)


def test_a_lease_that_is_renewed_goes_on(store):
    with_chunks(store, a_job(), 1)
    lease = claim(store, CHUNK, now_s=0.0)
    store.renew(lease, LeaseReport(), policy=POLICY, now_s=20.0)
    assert store.sweep(policy=POLICY, now_s=49.0).requeued == 0
    assert store.sweep(policy=POLICY, now_s=50.0).requeued == 1


def test_a_clock_that_is_set_back_keeps_nobody_waiting(store):
    with_chunks(store, a_job(), 2)
    dead, failed = claim(store, CHUNK, now_s=9000.0), claim(store, CHUNK, now_s=9000.0)
    assert store.fail(failed, BROKEN, again=True, policy=POLICY, now_s=9000.0)
    again = claim(store, CHUNK, now_s=1000.0)
    assert (again.task.number, again.task.attempt) == (failed.task.number, 2)
    assert store.sweep(policy=POLICY, now_s=1000.0) == Swept(requeued=1)
    assert store.standing(dead) is Standing.LOST
    assert store.standing(again) is Standing.GO_ON


def test_a_lease_ends_once(store):
    with_chunks(store, a_job(), 2)
    lease = claim(store, CHUNK)
    assert store.finish_chunk(lease, ChunkDone(frames=1), now_s=0.0)
    assert not store.finish_chunk(lease, ChunkDone(frames=2), now_s=0.0)


def test_a_lease_given_back_does_not_count_as_an_attempt(store):
    with_chunks(store, a_job(), 1)
    for _ in range(5):
        lease = claim(store, CHUNK)
        assert lease.task.attempt == 1
        assert store.release(lease, policy=POLICY, now_s=0.0)


@pytest.mark.parametrize(("counted", "attempt"), [(True, 2), (False, 1)])
def test_the_leases_of_a_dead_worker_end_at_once(store, counted, attempt):
    with_chunks(store, a_job(), 3)
    for worker in ("dead", "alive", "dead"):
        claim(store, CHUNK, worker=worker)
    assert store.forfeit(["dead", "other"], counted=counted, policy=POLICY, now_s=5.0) == 2
    assert store.forfeit(["dead"], counted=counted, policy=POLICY, now_s=5.0) == 0
    again = [claim(store, CHUNK, now_s=6.0) for _ in range(3)]
    assert [lease.task.attempt for lease in again[:2]] == [attempt, attempt]
    assert again[2] is None


def test_a_failed_attempt_is_repeated_after_a_delay_that_doubles(store):
    with_chunks(store, a_job(), 1)
    for begin_s, wait_s in ((0.0, 1.0), (1.0, 2.0)):
        lease = claim(store, CHUNK, now_s=begin_s)
        assert store.fail(lease, BROKEN, again=True, policy=POLICY, now_s=begin_s)
        assert claim(store, CHUNK, now_s=begin_s + wait_s - 0.01) is None
    assert claim(store, CHUNK, now_s=3.0).task.attempt == 3


# Failure


def test_a_task_fails_for_good_after_its_last_attempt(store):
    job_id = with_chunks(store, a_job(), 2)
    for number in range(3):
        lease = claim(store, CHUNK, now_s=10.0 * number)
        store.fail(lease, BROKEN, again=True, policy=POLICY, now_s=10.0 * number)
    job = store.get(job_id)
    assert (job.state, job.failure, job.finished_at) == (JobState.FAILED, BROKEN, 20.0)
    assert (job.progress.chunks_failed, job.progress.step) == (1, None)
    assert states(store, job_id) == ["done", "failed", "canceled", "canceled"]
    assert claim(store, now_s=99.0) is None


def test_a_task_whose_workers_die_fails_for_good_after_its_last_attempt(store):
    job = store.add(a_job())
    swept = []
    for number in range(3):
        claim(store, now_s=100.0 * number)
        swept.append(store.sweep(policy=POLICY, now_s=100.0 * number + 50.0))
    assert [(s.requeued, s.failed) for s in swept] == [(1, 0), (1, 0), (0, 1)]
    assert store.get(job.id).failure.code == "worker-lost"
    assert state(store, job.id) is JobState.FAILED


def test_what_is_not_worth_another_attempt_fails_at_once(store):
    job = store.add(a_job())
    store.fail(claim(store), BROKEN, again=False, policy=POLICY, now_s=3.0)
    assert state(store, job.id) is JobState.FAILED


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_failing_job_lets_its_final_pass_wrap_up(store, is_begun):
    job_id = with_chunks(store, a_job(), 3)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL) if is_begun else None
    other, failing = claim(store, CHUNK), claim(store, CHUNK)
    store.fail(failing, BROKEN, again=False, policy=POLICY, now_s=5.0)
    assert (state(store, job_id), store.get(job_id).finished_at) == (JobState.FINALIZING, None)
    final = final or claim(store, FINAL)
    for lease in (final, other):
        standing = store.renew(lease, LeaseReport(), policy=POLICY, now_s=6.0)
        assert standing is Standing.WRAP_UP
    done = Finalized(frames=50, partial=True, summary={"tracks": 1})
    assert store.finish_final(final, done, policy=POLICY, now_s=7.0)
    job = store.get(job_id)
    assert (job.state, job.failure, job.partial) == (JobState.FAILED, BROKEN, True)
    assert (job.summary, job.progress.frames_final) == ({"tracks": 1}, 50)
    assert store.release(other, policy=POLICY, now_s=8.0)
    assert states(store, job_id) == ["done", "done", "canceled", "failed", "canceled"]


def test_a_chunk_that_outlives_its_failed_job_keeps_what_it_has_done(store):
    job_id = with_chunks(store, a_job(), 2)
    failing, other = claim(store, CHUNK), claim(store, CHUNK)
    store.fail(failing, BROKEN, again=False, policy=POLICY, now_s=5.0)
    assert state(store, job_id) is JobState.FAILED
    assert store.finish_chunk(other, ChunkDone(frames=50), now_s=6.0)
    assert states(store, job_id) == ["done", "failed", "done", "canceled"]
    assert state(store, job_id) is JobState.FAILED


def test_a_final_pass_that_dies_while_it_wraps_up_is_begun_again(store):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    claim(store, FINAL)
    store.fail(claim(store, CHUNK), BROKEN, again=False, policy=POLICY, now_s=0.0)
    assert store.sweep(policy=POLICY, now_s=30.0).requeued == 1
    finish(store, claim(store, now_s=31.0), now_s=32.0)
    assert state(store, job_id) is JobState.FAILED


def test_a_final_pass_that_fails_ends_the_job_and_the_first_failure_counts(store):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.fail(claim(store, CHUNK), BROKEN, again=False, policy=POLICY, now_s=0.0)
    later = replace(BROKEN, code="output-failed")
    store.fail(final, later, again=False, policy=POLICY, now_s=1.0)
    assert (state(store, job_id), store.get(job_id).failure) == (JobState.FAILED, BROKEN)


def test_a_final_pass_that_fails_tells_of_the_results_that_it_has_left(store):
    job_id = with_chunks(store, a_job(), 1)
    finish(store, claim(store, CHUNK))
    left = Finalized(frames=9, partial=True, summary={"tracks": 1}, warnings=["some were lost"])
    final = claim(store, FINAL)
    assert store.fail_final(final, BROKEN, left, policy=POLICY, now_s=1.0)
    job = store.get(job_id)
    assert (job.state, job.failure) == (JobState.FAILED, BROKEN)
    assert (job.partial, job.summary, job.warnings) == (True, {"tracks": 1}, ("some were lost",))
    assert job.progress.frames_final == 9


def test_the_results_of_a_final_pass_that_fails_after_a_cancel_are_told_of_too(store):
    job_id = with_chunks(store, a_job(), 1)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.cancel(job_id, policy=POLICY, now_s=1.0)
    left = Finalized(frames=9, partial=True, summary={"tracks": 1})
    assert store.fail_final(final, BROKEN, left, policy=POLICY, now_s=2.0)
    job = store.get(job_id)
    assert (job.state, job.partial, job.summary) == (JobState.CANCELED, True, {"tracks": 1})


# Cancelling


def test_a_queued_job_is_canceled_at_once(store):
    job = store.add(a_job())
    canceled = store.cancel(job.id, policy=POLICY, now_s=4.0)
    assert canceled == store.get(job.id)
    assert (canceled.state, canceled.finished_at) == (JobState.CANCELED, 4.0)
    assert canceled.expires_at == 1004.0
    assert claim(store) is None


@pytest.mark.parametrize("end", ["release", "fail", "finish", "sweep", "forfeit"])
def test_a_running_job_is_canceled_when_its_last_lease_is_gone(store, end):
    job_id = with_chunks(store, a_job(), 3)
    first, last = claim(store, CHUNK), claim(store, CHUNK)
    assert store.cancel(job_id, policy=POLICY, now_s=1.0).state is JobState.CANCELING
    assert store.renew(last, LeaseReport(), policy=POLICY, now_s=1.0) is Standing.WRAP_UP
    store.release(first, policy=POLICY, now_s=1.0)
    assert state(store, job_id) is JobState.CANCELING
    if end == "release":
        assert store.release(last, policy=POLICY, now_s=2.0)
    elif end == "fail":
        assert store.fail(last, BROKEN, again=True, policy=POLICY, now_s=2.0)
    elif end == "finish":
        assert finish(store, last, now_s=2.0)
    elif end == "sweep":
        assert store.sweep(policy=POLICY, now_s=31.0) == Swept()
    else:
        assert store.forfeit(["worker"], counted=False, policy=POLICY, now_s=2.0) == 1
    job = store.get(job_id)
    assert (job.state, job.failure, job.expires_at) == (JobState.CANCELED, None, 1001.0)
    assert claim(store, now_s=99.0) is None


def test_a_running_job_that_nobody_works_on_is_canceled_at_once(store):
    job_id = with_chunks(store, a_job(), 3)
    finish(store, claim(store, CHUNK))
    assert store.cancel(job_id, policy=POLICY, now_s=1.0).state is JobState.CANCELED
    assert states(store, job_id) == ["done", "done", "canceled", "canceled", "canceled"]


def test_a_canceled_job_keeps_what_its_final_pass_has_finished(store):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.cancel(job_id, policy=POLICY, now_s=1.0)
    done = Finalized(frames=50, partial=True, summary={"tracks": 2})
    assert store.finish_final(final, done, policy=POLICY, now_s=2.0)
    job = store.get(job_id)
    assert (job.state, job.partial, job.summary) == (JobState.CANCELED, True, {"tracks": 2})
    assert job.finished_at == 2.0


def test_a_video_that_arrives_in_a_job_being_canceled_is_kept_for_a_retry(store):
    job = store.add(a_job())
    lease = claim(store)
    store.cancel(job.id, policy=POLICY, now_s=1.0)
    assert store.finish_ingest(lease, ingested(2), now_s=2.0)
    assert states(store, job.id) == ["done", "canceled", "canceled", "canceled"]
    assert state(store, job.id) is JobState.CANCELED
    store.retry(job.id, now_s=3.0)
    assert states(store, job.id) == ["done", "ready", "ready", "waiting"]


def test_canceling_twice_changes_nothing(store):
    job_id = with_chunks(store, a_job())
    lease = claim(store, CHUNK)
    once = store.cancel(job_id, policy=POLICY, now_s=1.0)
    assert store.cancel(job_id, policy=POLICY, now_s=2.0) == once
    store.release(lease, policy=POLICY, now_s=3.0)
    canceled = store.get(job_id)
    assert store.cancel(job_id, policy=POLICY, now_s=4.0) == canceled


def test_a_job_that_has_ended_cannot_be_canceled(store):
    job = store.add(a_job())
    store.fail(claim(store), BROKEN, again=False, policy=POLICY, now_s=0.0)
    with pytest.raises(JobStateError, match="is failed and cannot be canceled"):
        store.cancel(job.id, policy=POLICY, now_s=1.0)


# Trying again


def test_a_retried_job_goes_on_from_its_finished_chunks(store):
    job_id = with_chunks(store, a_job(), 3)
    finish(store, claim(store, CHUNK))
    store.fail(claim(store, CHUNK), BROKEN, again=False, policy=POLICY, now_s=0.0)
    store.fail(claim(store, FINAL), BROKEN, again=False, policy=POLICY, now_s=0.0)
    job = store.retry(job_id, now_s=50.0)
    assert job == store.get(job_id)
    assert (job.state, job.failure, job.finished_at, job.expires_at) == (
        JobState.QUEUED,
        None,
        None,
        None,
    )
    assert states(store, job_id) == ["done", "done", "ready", "ready", "ready"]
    assert {task.attempt for task in store.tasks(job_id)[2:]} == {0}
    assert (job.progress.frames_done, job.progress.chunks_failed) == (50, 0)
    again = claim(store, CHUNK, now_s=51.0)
    assert (again.task.number, again.job.state, again.job.progress.step) == (
        1,
        JobState.RUNNING,
        "detect",
    )


def test_a_retried_job_that_lacks_only_its_final_pass_is_finalizing_as_soon_as_that_begins(store):
    job_id = with_chunks(store, a_job(), 1)
    finish(store, claim(store, CHUNK))
    store.fail(claim(store, FINAL), BROKEN, again=False, policy=POLICY, now_s=0.0)
    store.retry(job_id, now_s=1.0)
    lease = claim(store, now_s=2.0)
    assert (lease.task.kind, lease.job.state) == (TaskKind.FINAL, JobState.FINALIZING)
    assert finish(store, lease)
    assert state(store, job_id) is JobState.SUCCEEDED


def test_a_retried_job_keeps_the_results_that_were_wrapped_up_until_there_are_others(store):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.cancel(job_id, policy=POLICY, now_s=0.0)
    done = Finalized(frames=50, partial=True, summary={"tracks": 1}, warnings=["it ends early"])
    store.finish_final(final, done, policy=POLICY, now_s=0.0)
    assert store.get(job_id).warnings == ("it ends early",)
    job = store.retry(job_id, now_s=1.0)
    assert (job.partial, job.summary, job.warnings) == (True, {"tracks": 1}, ())
    assert (job.progress.frames_final, job.progress.frames_kept) == (0, 50)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.renew(final, LeaseReport(frames_done=7), policy=POLICY, now_s=1.0)
    job = store.get(job_id)
    assert (job.progress.frames_final, job.progress.frames_kept) == (7, 50)
    store.finish_final(final, Finalized(frames=100), policy=POLICY, now_s=2.0)
    job = store.get(job_id)
    assert (job.state, job.partial, job.summary) == (JobState.SUCCEEDED, False, {})
    assert job.progress.frames_kept == 100


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_results_that_a_canceled_pass_has_not_replaced_are_told_of_as_before(store, end):
    job_id = with_chunks(store, a_job(), 2)
    finish(store, claim(store, CHUNK))
    final = claim(store, FINAL)
    store.cancel(job_id, policy=POLICY, now_s=0.0)
    done = Finalized(frames=50, partial=True, summary={"tracks": 1})
    store.finish_final(final, done, policy=POLICY, now_s=0.0)
    store.retry(job_id, now_s=1.0)
    final = claim(store, FINAL)
    store.cancel(job_id, policy=POLICY, now_s=2.0)
    less = Finalized(frames=7, partial=True, keeps_older=True)
    if end == "finish":
        assert store.finish_final(final, less, policy=POLICY, now_s=3.0)
    else:
        assert store.fail_final(final, BROKEN, less, policy=POLICY, now_s=3.0)
    job = store.get(job_id)
    assert (job.state, job.partial, job.summary) == (JobState.CANCELED, True, {"tracks": 1})
    assert (job.progress.frames_final, job.progress.frames_kept) == (7, 50)
    assert store.tasks(job_id)[-1].result is None


def test_a_retry_takes_the_task_from_a_worker_of_the_failed_attempt(store):
    job_id = with_chunks(store, a_job(), 2)
    failing, late = claim(store, CHUNK), claim(store, CHUNK)
    store.fail(failing, BROKEN, again=False, policy=POLICY, now_s=0.0)
    store.retry(job_id, now_s=1.0)
    assert store.renew(late, LeaseReport(), policy=POLICY, now_s=2.0) is Standing.LOST
    assert store.get(job_id).progress.chunks_running == 0


def test_only_failed_and_canceled_jobs_can_be_retried(store):
    job = store.add(a_job())
    with pytest.raises(JobStateError, match="is queued"):
        store.retry(job.id, now_s=0.0)


# The end


def test_results_expire_when_their_time_is_over(store):
    for number in range(3):
        store.add(a_job(number))
    store.cancel("job-00000", policy=POLICY, now_s=0.0)
    store.cancel("job-00001", policy=LeasePolicy(keep_s=None), now_s=0.0)
    assert store.sweep(policy=POLICY, now_s=999.0).expired == ()
    assert store.sweep(policy=POLICY, now_s=1000.0).expired == ("job-00000",)
    assert store.sweep(policy=POLICY, now_s=1e9).expired == ()
    assert [job.state.value for job in store.list(JobQuery())] == ["queued", "canceled", "expired"]


def test_a_deleted_job_is_gone_with_everything_of_it(store):
    key = IdempotencyKey(key="k", digest="d")
    job = store.add(a_job(labels={"a": "1"}), idempotency=key)
    lease = claim(store)
    with pytest.raises(JobStateError, match="cancel it before"):
        store.delete(job.id)
    store.fail(lease, BROKEN, again=False, policy=POLICY, now_s=0.0)
    store.delete(job.id)
    with pytest.raises(UnknownJobError):
        store.get(job.id)
    assert store.list(JobQuery(labels={"a": "1"})) == []
    assert store.renew(lease, LeaseReport(), policy=POLICY, now_s=1.0) is Standing.LOST
    again = store.add(a_job(), idempotency=replace(key, digest="other"))
    assert store.get(again.id) == again


def test_a_retried_job_waits_for_nothing_but_its_turn(store):
    job = store.add(a_job())
    store.fail(claim(store), BROKEN, again=False, policy=POLICY, now_s=0.0)
    store.retry(job.id, now_s=0.0)
    assert claim(store, ALL_KINDS, now_s=0.0).task.attempt == 1
