"""One task from its lease to its end: the right function, the heartbeat, and what the store hears.

It knows neither processes nor queues, so that any kind of worker can call it.
"""

from __future__ import annotations

import gc
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from sightline.jobs import transfers
from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.chunk_feed import StoreChunkFeed
from sightline.jobs.failures import failure_of
from sightline.jobs.heartbeat import Heartbeat, LeaseLostError, LeaseReturnedError, TaskStoppedError
from sightline.jobs.states import TaskKind, TaskState
from sightline.jobs.store import Standing, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.jobs.model import Lease, Task
    from sightline.jobs.store import ChunkDone, Finalized, Ingested
    from sightline.jobs.workplace import Workplace

__all__ = ["do_task"]

_log = logging.getLogger(__name__)

_NEXT = {
    TaskKind.INGEST: frozenset({TaskKind.CHUNK, TaskKind.FINAL}),
    TaskKind.CHUNK: frozenset({TaskKind.FINAL}),
    TaskKind.FINAL: frozenset[TaskKind](),
}
"""What kinds of tasks may be ready when one is done."""


def do_task(
    lease: Lease,
    place: Workplace,
    *,
    watch: Callable[[Heartbeat], object] = id,
    assist: Callable[[str], bool] | None = None,
) -> frozenset[TaskKind]:
    """Do a leased task to its end, whatever that is, and report it to the store.

    What an attempt that came to nothing has written is removed.

    Args:
        lease: From `claim`.
        place: What to work with.
        watch: Called with the heartbeat before the work begins.
        assist: Called by a final pass with the id of its job while the chunk that is next is not
            done; does a chunk of the job, and says whether there was one. None: it waits.

    Returns:
        The kinds of tasks that may be ready now.
    """
    with place.storage.artifacts.using(lease.job.id):
        is_done = _attempt(lease, place, watch, assist)
    place.storage.artifacts.trim()
    if not is_done:
        gc.collect()  # errors and frames hold each other, and frames hold images
        return frozenset()
    is_one_of_many = lease.task.kind is TaskKind.CHUNK and lease.task.number > 0
    return frozenset() if is_one_of_many else _NEXT[lease.task.kind]


def _attempt(
    lease: Lease,
    place: Workplace,
    watch: Callable[[Heartbeat], object],
    assist: Callable[[str], bool] | None,
) -> bool:
    """Do a task and report it; False if it came to nothing."""
    final = lease.task.kind is TaskKind.FINAL
    is_done = is_noted = False
    with Heartbeat(
        place.store, lease, policy=place.policy, clock=place.clock, notes_wrap_up=final
    ) as heartbeat:
        watch(heartbeat)
        try:
            done = _do(lease, place, heartbeat, assist)
        except LeaseLostError:
            pass
        except TaskStoppedError:
            place.store.release(lease, policy=place.policy, now_s=place.clock())
        except Exception as error:  # noqa: BLE001 - boundary of the task: told to the store
            is_noted = _fail(lease, place, error)
        else:
            failure = done.failure if final else None
            is_done = failure is None and _finish(lease, place, done)
            is_noted = failure is not None and _fail(lease, place, failure, left=done)
    if not is_done:
        transfers.discard(place.storage, lease, keeps_results=is_noted)
    elif final:
        _tidy(lease, place)
    return is_done


def _do(
    lease: Lease, place: Workplace, heartbeat: Heartbeat, assist: Callable[[str], bool] | None
) -> Any:
    match lease.task.kind:
        case TaskKind.INGEST:
            return _ingest(lease, place, heartbeat)
        case TaskKind.CHUNK:
            return _chunk(lease, place, heartbeat)
        case TaskKind.FINAL:
            return _final(lease, place, heartbeat, assist)


def _ingest(lease: Lease, place: Workplace, heartbeat: Heartbeat) -> Ingested:
    from sightline.jobs.ingest import do_ingest

    _check_lease(lease, place)
    job, storage = lease.job, place.storage
    had_source = transfers.obtain_source(storage, job, heartbeat.repeat)
    done = do_ingest(lease, storage.job(job.id), place.ingest, heartbeat)
    is_kept = had_source or job.spec.upload is not None
    transfers.put_ingested(storage, job, heartbeat.repeat, had_source=is_kept)
    return done


def _chunk(lease: Lease, place: Workplace, heartbeat: Heartbeat) -> ChunkDone:
    from sightline.jobs.chunk_work import do_chunk

    files = place.storage.job(lease.job.id)
    transfers.obtain_source(place.storage, lease.job, heartbeat.repeat)
    done = do_chunk(lease, files, place.pipelines, heartbeat, limits=place.limits)
    transfers.put_chunk(place.storage, lease, heartbeat.repeat)
    return done


def _final(
    lease: Lease, place: Workplace, heartbeat: Heartbeat, assist: Callable[[str], bool] | None
) -> Finalized:
    from sightline.jobs.final_pass import do_final

    storage = place.storage
    files, job_id = storage.job(lease.job.id), lease.job.id
    feed = StoreChunkFeed(
        place.store,
        job_id,
        files=files,
        when_idle=partial(_see_to_chunks, job_id, heartbeat, assist),
        obtain=partial(transfers.obtain_chunk, storage, tick=heartbeat.repeat),
    )
    transfers.obtain_source(storage, lease.job, heartbeat.repeat)
    _check_lease(lease, place)
    transfers.forget_results(storage, lease)
    with transfers.GrowingIndex(storage, lease):
        try:
            return do_final(lease, files, feed, heartbeat, limits=place.limits)
        finally:
            transfers.put_results(storage, lease, heartbeat.repeat)


def _check_lease(lease: Lease, place: Workplace) -> None:
    """Make sure that what others have left behind may be removed.

    A process that was frozen since it claimed the task would remove what its successor writes.
    """
    if place.store.standing(lease) is Standing.LOST:
        raise LeaseLostError("the lease of the task is gone")


def _see_to_chunks(
    job_id: str,
    heartbeat: Heartbeat,
    assist: Callable[[str], bool] | None,
    awaited: Task | None,
) -> bool:
    """Do a chunk while a final pass waits for one: waiting, it would hold a place that can work."""
    if heartbeat.worker_ends:
        if awaited is None or awaited.state is not TaskState.LEASED:
            raise LeaseReturnedError("the workers end before the next chunk is begun")
        return False
    return assist is not None and assist(job_id)


def _finish(lease: Lease, place: Workplace, done: Any) -> bool:
    """Report success; False if the lease was lost.

    If the store raises, nobody knows whether it has noted it, and the files must stay.
    """
    now_s = place.clock()
    match lease.task.kind:
        case TaskKind.INGEST:
            return place.store.finish_ingest(lease, done, now_s=now_s)
        case TaskKind.CHUNK:
            return place.store.finish_chunk(lease, done, now_s=now_s)
        case TaskKind.FINAL:
            return place.store.finish_final(lease, done, policy=place.policy, now_s=now_s)


def _fail(
    lease: Lease, place: Workplace, error: Exception, *, left: Finalized | None = None
) -> bool:
    """Report a failure, and the results that were left; False if the lease was lost."""
    files, name = place.storage.job(lease.job.id), lease.job.spec.source_name
    failure, again = failure_of(error, names={str(files.source): name})
    _log.warning(
        "task failed job=%s kind=%s number=%d attempt=%d code=%s",
        lease.job.id,
        lease.task.kind,
        lease.task.number,
        lease.task.attempt,
        failure.code,
    )
    policy, now_s = place.policy, place.clock()
    if left is not None:
        return place.store.fail_final(lease, failure, left, policy=policy, now_s=now_s)
    return place.store.fail(lease, failure, again=again, policy=policy, now_s=now_s)


def _tidy(lease: Lease, place: Workplace) -> None:
    """Remove from a remote store what the job does not need any more."""
    if not place.storage.artifacts.is_remote:
        return
    try:
        job = place.store.get(lease.job.id)
        transfers.remove_leftovers(place.storage, job, lease.token)
    except (ArtifactError, UnknownJobError) as error:
        _log.warning("files are left, to be removed later job=%s: %s", lease.job.id, error)
