"""What becomes of a job and its tasks when something happens to them: the same in every store.

The functions change a `Case`, which is a value of nobody else's; they know neither database nor
clock. Those that take a task need that task to be leased, by the lease that the store checked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.jobs.model import Failure, Task
from sightline.jobs.states import JobState, TaskKind, TaskState, queue_of
from sightline.jobs.store import JobStateError, Standing

if TYPE_CHECKING:
    from sightline.jobs.case import Case
    from sightline.jobs.model import Job
    from sightline.jobs.store import ChunkDone, Finalized, Ingested, LeasePolicy, LeaseReport

__all__ = [
    "WORKER_LOST",
    "cancel",
    "claim",
    "expire",
    "fail",
    "finish_chunk",
    "finish_final",
    "finish_ingest",
    "first_tasks",
    "give_back",
    "keep",
    "renew",
    "retry",
    "standing",
    "try_again",
]

WORKER_LOST = Failure(code="worker-lost", message="the worker died or hung")
"""Why an attempt failed whose lease ended by itself."""


def first_tasks(job: Job) -> list[Task]:
    """Give the tasks of a new job: to fetch the video, and the final pass."""
    ingest, final = (
        Task(job_id=job.id, kind=kind, queue=queue_of(kind, job.spec.priority))
        for kind in (TaskKind.INGEST, TaskKind.FINAL)
    )
    return [replace(ingest, state=TaskState.READY), final]


def claim(case: Case, task: Task, *, worker: str, policy: LeasePolicy, now_s: float) -> None:
    """Lease a task that is ready; needs no other tasks of the job."""
    case.change(
        task,
        state=TaskState.LEASED,
        attempt=task.attempt + 1,
        worker=worker,
        leased_until=now_s + policy.lease_s,
        frames_done=0,
    )
    if case.job.state is JobState.QUEUED:
        case.update(started_at=now_s)
        case.move(JobState.RUNNING)
    progress = case.job.progress
    is_final = task.kind is TaskKind.FINAL
    # A job that is tried again may have nothing left to do but this.
    if is_final and case.job.state is JobState.RUNNING and _chunks_are_done(case):
        case.move(JobState.FINALIZING)
    sees_frames = task.kind is TaskKind.CHUNK or (is_final and progress.chunks_total == 0)
    if sees_frames and progress.detect_since is None:
        case.note(detect_since=now_s, detect_from=progress.frames_done)


def renew(
    case: Case, task: Task, report: LeaseReport, *, policy: LeasePolicy, now_s: float
) -> Standing:
    """Make a lease longer; needs no other tasks of the job."""
    case.change(task, leased_until=now_s + policy.lease_s, frames_done=report.frames_done)
    if task.kind is TaskKind.INGEST:
        case.note(bytes_done=report.bytes_done, bytes_total=report.bytes_total)
    return _standing(case)


def standing(state: JobState, *, is_failing: bool) -> Standing:
    """Say what who has a lease is to do, by the state of the job, and whether it has a failure."""
    is_over = state is JobState.CANCELING or state.terminal or is_failing
    return Standing.WRAP_UP if is_over else Standing.GO_ON


def finish_ingest(case: Case, task: Task, done: Ingested, *, token: str, now_s: float) -> None:
    """Note that the video is there, and make the chunks."""
    is_wanted = not _is_wrapping_up(case)
    case.change(task, state=TaskState.DONE, result=token, warnings=tuple(done.warnings))
    case.update(video=done.video)
    case.note(chunks_total=len(done.spans), frames_total=done.video.frames)
    chunk = Task(
        job_id=case.job.id,
        kind=TaskKind.CHUNK,
        queue=queue_of(TaskKind.CHUNK, case.job.spec.priority),
        state=TaskState.READY if is_wanted else TaskState.CANCELED,
    )
    for number, span in enumerate(done.spans):
        case.add(replace(chunk, number=number, span=span))
    if is_wanted and done.spans:
        case.note(step="detect")
    elif is_wanted:
        case.change(case.task(TaskKind.FINAL), state=TaskState.READY)
        case.move(JobState.FINALIZING)
    _collect_warnings(case)
    _settle(case, now_s)


def finish_chunk(case: Case, task: Task, done: ChunkDone, *, token: str, now_s: float) -> None:
    """Note that a chunk is done; the first lets the final pass begin, the last makes it go on."""
    case.change(
        task,
        state=TaskState.DONE,
        result=token,
        frames_done=done.frames,
        warnings=tuple(done.warnings),
    )
    if not _is_wrapping_up(case):
        if task.number == 0:
            case.change(case.task(TaskKind.FINAL), state=TaskState.READY)
        if _chunks_are_done(case):
            case.note(frames_total=case.job.progress.frames_done)  # now it is known exactly
            case.move(JobState.FINALIZING)
    if done.warnings:  # all tasks are looked at: not for each of thousands
        _collect_warnings(case)
    _settle(case, now_s)


def finish_final(
    case: Case, done: Finalized, *, token: str, policy: LeasePolicy, now_s: float
) -> None:
    """Note that the final pass is done, and with it the job.

    Raises:
        JobStateError: It ended although chunks of a healthy job are outstanding.
    """
    is_whole = not _is_wrapping_up(case)
    case.change(
        keep(case, case.task(TaskKind.FINAL), done),
        # What was wrapped up is to be done again if the job is tried again.
        state=TaskState.DONE if is_whole else TaskState.CANCELED,
        result=None if done.keeps_older else token,
    )
    if is_whole:
        case.note(frames_total=case.job.progress.frames_done)
        _end(case, JobState.SUCCEEDED, policy=policy, now_s=now_s)
    elif case.job.state is JobState.FINALIZING:
        _end(case, JobState.FAILED, policy=policy, now_s=now_s)
    _settle(case, now_s)


def keep(case: Case, task: Task, done: Finalized) -> Task:
    """Note the results that a final pass has left; give its task, which is still leased."""
    case.change(task, frames_done=done.frames, warnings=tuple(done.warnings))
    if not done.keeps_older:
        case.update(partial=done.partial, summary=done.summary)
        case.note(frames_kept=done.frames)
    if done.warnings:
        _collect_warnings(case)
    return case.task(task.kind, task.number)


def fail(case: Case, task: Task, failure: Failure, *, policy: LeasePolicy, now_s: float) -> None:
    """Note that a task failed for good."""
    if not _is_wanted(case, task):
        _drop(case, task, failure, now_s)
        return
    case.change(task, state=TaskState.FAILED, failure=failure)
    case.update(failure=case.job.failure or failure)
    _cancel_tasks(case, keep_final=True)
    if case.task(TaskKind.FINAL).state not in (TaskState.READY, TaskState.LEASED):
        _end(case, JobState.FAILED, policy=policy, now_s=now_s)
    elif case.job.state is JobState.RUNNING:
        case.move(JobState.FINALIZING)


def try_again(
    case: Case, task: Task, failure: Failure, *, policy: LeasePolicy, now_s: float
) -> None:
    """Note that an attempt failed; there is another one unless this was the last."""
    if not _is_wanted(case, task):
        _drop(case, task, failure, now_s)
    elif task.attempt >= policy.max_attempts:
        fail(case, task, failure, policy=policy, now_s=now_s)
    else:
        delay_s = policy.retry_delay_s * 2 ** (task.attempt - 1)
        case.change(task, state=TaskState.READY, not_before=now_s + delay_s, failure=failure)


def give_back(case: Case, task: Task, *, now_s: float) -> None:
    """End a lease as if there had been none."""
    if _is_wanted(case, task):
        case.change(task, state=TaskState.READY, attempt=task.attempt - 1)
    else:
        _drop(case, task, task.failure, now_s)


def cancel(case: Case, *, policy: LeasePolicy, now_s: float) -> None:
    """Cancel a job; does nothing if it is canceling or canceled.

    Raises:
        JobStateError: It has ended otherwise.
    """
    job = case.job
    if job.state in (JobState.CANCELING, JobState.CANCELED):
        return
    if job.state.terminal:
        raise JobStateError(f"job {job.id} is {job.state} and cannot be canceled")
    _cancel_tasks(case, keep_final=False)
    if job.state is JobState.QUEUED:
        _end(case, JobState.CANCELED, policy=policy, now_s=now_s)
        return
    case.move(JobState.CANCELING)
    # Whoever has the last lease ends the job, and that is soon.
    case.update(expires_at=_expiry(policy, now_s))
    _settle(case, now_s)


def retry(case: Case) -> None:
    """Queue a failed or canceled job again; what is finished stays finished.

    Raises:
        JobStateError: It is in another state.
    """
    if case.job.state not in (JobState.FAILED, JobState.CANCELED):
        raise JobStateError(
            f"job {case.job.id} is {case.job.state}; only failed and canceled ones can be retried"
        )
    for task in case.tasks:
        if task.state is not TaskState.DONE:
            _renew_task(case, task)
    # The results that there are stay, and are as partial as they were, until others replace them.
    case.update(started_at=None, finished_at=None, expires_at=None, failure=None)
    case.note(detect_since=None, detect_from=0)
    if case.job.video is None:
        case.note(bytes_done=0, bytes_total=None)
    _collect_warnings(case)
    case.move(JobState.QUEUED)


def expire(case: Case) -> None:
    """Give up the results of a job that has ended."""
    case.move(JobState.EXPIRED)


def _renew_task(case: Case, task: Task) -> None:
    """Let a task begin anew; may look at the ones before it in the order of `Case.tasks`."""
    is_ready = task.kind is not TaskKind.FINAL
    if task.kind is TaskKind.FINAL and case.job.video is not None:
        chunks = case.job.progress.chunks_total
        is_ready = chunks == 0 or case.task(TaskKind.CHUNK).state is TaskState.DONE
    fresh = Task(
        job_id=task.job_id, kind=task.kind, queue=task.queue, number=task.number, span=task.span
    )
    state = TaskState.READY if is_ready else TaskState.WAITING
    fields = {name: getattr(fresh, name) for name in Task.__dataclass_fields__}
    case.change(task, **{**fields, "state": state})


def _is_wrapping_up(case: Case) -> bool:
    return _standing(case) is Standing.WRAP_UP


def _standing(case: Case) -> Standing:
    return standing(case.job.state, is_failing=case.job.failure is not None)


def _is_wanted(case: Case, task: Task) -> bool:
    """Say whether a task is to be done at all: of a failing job, the final pass alone."""
    if task.kind is TaskKind.FINAL:
        return case.job.state in (JobState.RUNNING, JobState.FINALIZING)
    return not _is_wrapping_up(case)


def _chunks_are_done(case: Case) -> bool:
    progress = case.job.progress
    return progress.chunks_done == progress.chunks_total


def _drop(case: Case, task: Task, failure: Failure | None, now_s: float) -> None:
    case.change(task, state=TaskState.CANCELED, failure=failure)
    _settle(case, now_s)


def _cancel_tasks(case: Case, *, keep_final: bool) -> None:
    """Cancel what nobody has begun."""
    for task in case.tasks:
        is_kept = keep_final and task.kind is TaskKind.FINAL
        if task.state is TaskState.WAITING or (task.state is TaskState.READY and not is_kept):
            case.change(task, state=TaskState.CANCELED)


def _settle(case: Case, now_s: float) -> None:
    """End a job that is canceling when the last lease is gone."""
    if case.job.state is not JobState.CANCELING or case.job.progress.chunks_running:
        return
    others = (case.task(TaskKind.INGEST), case.task(TaskKind.FINAL))
    if not any(task.state is TaskState.LEASED for task in others):
        case.update(finished_at=now_s)
        case.move(JobState.CANCELED)


def _end(case: Case, state: JobState, *, policy: LeasePolicy, now_s: float) -> None:
    case.update(finished_at=now_s, expires_at=_expiry(policy, now_s))
    case.move(state)


def _expiry(policy: LeasePolicy, now_s: float) -> float | None:
    return None if policy.keep_s is None else now_s + policy.keep_s


def _collect_warnings(case: Case) -> None:
    """Tell the warnings of all results, in the order of the video, each once."""
    warnings = dict.fromkeys(text for task in case.tasks for text in task.warnings)
    case.update(warnings=tuple(warnings))
