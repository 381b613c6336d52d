"""How long the transactions of a store take, one after the other, by one client."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.jobs.model import Job, JobSpec, Span, VideoFacts
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import Priority, TaskKind, queue_of
from sightline.jobs.store import ChunkDone, Ingested, LeasePolicy, LeaseReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _Result = TypeVar("_Result")

    from sightline.jobs.model import Lease
    from sightline.jobs.store import JobStore

__all__ = ["TransactionTimes", "time_transactions"]

_POLICY = LeasePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionTimes:
    """Medians, in seconds.

    Attributes:
        claim_s: A chunk is given out.
        renew_s: Its lease is renewed.
        finish_s: It is done.
    """

    claim_s: float
    renew_s: float
    finish_s: float


def time_transactions(database: str | None, *, jobs: int, chunks: int) -> TransactionTimes:
    """Do so many chunks of so many jobs in a store, without the work; remove the jobs.

    Args:
        database: URL of the database; None: SQLite in a folder of its own.
        jobs: How many jobs.
        chunks: Chunks of each.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = database or f"sqlite:///{Path(folder, 'jobs.sqlite')}"
        with Database(url) as tables:
            tables.migrate()
        store = SqlJobStore(Database(url))
        try:
            ids = [_with_chunks(store, chunks) for _ in range(jobs)]
            times = [_time_chunk(store) for _ in range(jobs * chunks)]
            for job_id in ids:
                store.cancel(job_id, policy=_POLICY, now_s=time.time())
                store.delete(job_id)
        finally:
            store.close()
    claims, renewals, ends = (statistics.median(some) for some in zip(*times, strict=True))
    return TransactionTimes(claim_s=claims, renew_s=renewals, finish_s=ends)


def _with_chunks(store: JobStore, chunks: int) -> str:
    job_id = f"{time.monotonic_ns():x}"
    spec = JobSpec(
        source_name="bench.mp4",
        upload=job_id,
        pipeline="bench",
        params={},
        definition={"stages": ["track"]},
        outputs=(),
    )
    store.add(Job(id=job_id, spec=spec, created_at=time.time()))
    lease = _claim(store, TaskKind.INGEST)
    spans = [Span(begin_pts=n, end_pts=n + 1, seek_pts=n, frames=1) for n in range(chunks)]
    store.finish_ingest(lease, Ingested(video=_facts(chunks), spans=spans), now_s=time.time())
    return job_id


def _time_chunk(store: JobStore) -> tuple[float, float, float]:
    claim_s, lease = _timed(lambda: _claim(store, TaskKind.CHUNK))
    report = LeaseReport(frames_done=1)
    renew_s, _ = _timed(lambda: store.renew(lease, report, policy=_POLICY, now_s=time.time()))
    finish_s, _ = _timed(lambda: store.finish_chunk(lease, ChunkDone(frames=1), now_s=time.time()))
    return claim_s, renew_s, finish_s


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    started_s = time.perf_counter()
    result = work()
    return time.perf_counter() - started_s, result


def _claim(store: JobStore, kind: TaskKind) -> Lease:
    lease = store.claim(
        TaskKind,
        worker="bench",
        policy=_POLICY,
        now_s=time.time(),
        queues=[queue_of(kind, Priority.NORMAL)],  # as a worker does when a message comes
    )
    if lease is None:
        raise RuntimeError(f"there is no {kind} to claim: somebody else uses this database")
    return lease


def _facts(frames: int) -> VideoFacts:
    return VideoFacts(
        container="mp4",
        codec="h264",
        width=160,
        height=120,
        frame_rate=25.0,
        duration_s=frames / 25,
        frames=frames,
        size_bytes=1,
        sha256="",
        playable=True,
    )
