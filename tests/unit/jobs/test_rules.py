"""The rules on values alone; what every store does by them, its contract tests."""

from dataclasses import replace

import pytest
from tests.job_values import POLICY, a_job, ingested

from sightline.jobs import rules
from sightline.jobs.case import Case
from sightline.jobs.model import Failure
from sightline.jobs.states import JOB_MOVES, JobState, TaskKind, TaskState
from sightline.jobs.store import ChunkDone, JobStateError, LeaseReport, Standing

BROKEN = Failure(code="stage-failed", message="a stage failed")


def new_case():
    job = a_job(0)
    return Case(job, rules.first_tasks(job))


def claim(case, kind, number=0, *, now_s=0.0):
    task = case.task(kind, number)
    rules.claim(case, task, worker="worker", policy=POLICY, now_s=now_s)
    return case.task(kind, number)


def case_with_chunks(number):
    case = new_case()
    ingest = claim(case, TaskKind.INGEST)
    rules.finish_ingest(case, ingest, ingested(number), token="t", now_s=0.0)
    return Case(case.job, case.tasks)


def test_a_case_has_changed_by_one_version_however_often_it_was_changed():
    case = new_case()
    version = case.job.version
    claim(case, TaskKind.INGEST)
    rules.cancel(case, policy=POLICY, now_s=1.0)
    assert case.job.version == version + 1
    assert case.changed == {(TaskKind.INGEST, 0), (TaskKind.FINAL, 0)}


def test_a_lease_that_is_only_longer_is_no_change_to_be_seen():
    case = case_with_chunks(1)
    task = claim(case, TaskKind.CHUNK)
    case = Case(case.job, [task])
    version = case.job.version
    standing = rules.renew(case, task, LeaseReport(), policy=POLICY, now_s=5.0)
    assert standing is Standing.GO_ON
    assert case.changed == {(TaskKind.CHUNK, 0)}
    assert case.job.version == version
    assert case.task(TaskKind.CHUNK).leased_until == 35.0


def test_claim_and_renew_need_no_other_task_of_the_job():
    whole = case_with_chunks(3)
    case = Case(whole.job, [whole.task(TaskKind.CHUNK, 1)])
    task = claim(case, TaskKind.CHUNK, 1)
    rules.renew(case, task, LeaseReport(frames_done=4), policy=POLICY, now_s=1.0)
    assert (case.job.progress.chunks_running, case.job.progress.frames_done) == (1, 4)


def test_tasks_are_in_the_order_ingest_chunks_final():
    kinds = [task.kind for task in case_with_chunks(2).tasks]
    assert kinds == [TaskKind.INGEST, TaskKind.CHUNK, TaskKind.CHUNK, TaskKind.FINAL]


@pytest.mark.parametrize("state", JobState)
def test_only_allowed_moves_are_made(state):
    case = Case(replace(a_job(), state=state), [])
    for other in JobState:
        if other in JOB_MOVES[state]:
            Case(case.job, []).move(other)
        else:
            with pytest.raises(JobStateError, match=f"is {state} and cannot become {other}"):
                Case(case.job, []).move(other)


def test_a_new_attempt_takes_the_frames_of_the_last_one_back():
    case = case_with_chunks(2)
    task = claim(case, TaskKind.CHUNK)
    rules.renew(case, task, LeaseReport(frames_done=30), policy=POLICY, now_s=0.0)
    task = case.task(TaskKind.CHUNK)
    rules.try_again(case, task, BROKEN, policy=POLICY, now_s=0.0)
    assert case.job.progress.frames_done == 30
    claim(case, TaskKind.CHUNK, now_s=9.0)
    assert case.job.progress.frames_done == 0


def test_a_second_failure_of_a_failing_job_only_cancels_its_task():
    case = case_with_chunks(3)
    first, second, third = (claim(case, TaskKind.CHUNK, number) for number in range(3))
    rules.finish_chunk(case, first, ChunkDone(frames=1), token="t", now_s=0.0)
    rules.fail(case, second, BROKEN, policy=POLICY, now_s=0.0)
    later = replace(BROKEN, code="out-of-memory")
    rules.fail(case, third, later, policy=POLICY, now_s=0.0)
    assert case.job.failure == BROKEN
    assert case.task(TaskKind.CHUNK, 2).state is TaskState.CANCELED
    assert case.task(TaskKind.CHUNK, 2).failure == later
    assert case.job.progress.chunks_failed == 1


def test_a_retried_job_notes_what_was_done_before():
    case = case_with_chunks(2)
    rules.finish_chunk(
        case, claim(case, TaskKind.CHUNK), ChunkDone(frames=900), token="t", now_s=900.0
    )
    rules.fail(case, claim(case, TaskKind.CHUNK, 1), BROKEN, policy=POLICY, now_s=900.0)
    rules.fail(case, claim(case, TaskKind.FINAL), BROKEN, policy=POLICY, now_s=900.0)
    rules.retry(case)
    claim(case, TaskKind.CHUNK, 1, now_s=1000.0)
    progress = case.job.progress
    assert (progress.detect_since, progress.detect_from, progress.frames_done) == (1000.0, 900, 900)
