"""Measures what the model of a job service is made of, on this machine, with real parts only.

transactions   one client on the store, one after the other
empty chunks   a worker process over a real broker, chunks of five frames, nothing done with them
a video        all its tasks in this process, one after the other, on one thread
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.bench.chunk_jobs import do_chunks, make_chunk_video
from sightline.bench.jobs import detect_and_track
from sightline.bench.overhead import NOTHING, chunk_workers
from sightline.bench.processor_time import used_s
from sightline.bench.scaling.parameters import Costs
from sightline.bench.scaling.transactions import TransactionTimes, time_transactions
from sightline.errors import SightlineError
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.model import Job, JobSpec
from sightline.jobs.sql.database import Database
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.work import do_task
from sightline.jobs.workplace import WorkOptions, Workplace, open_workplace
from sightline.media.index import index_file
from sightline.media.options import SourceOptions
from sightline.processors import limit_cores

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["EmptyChunks", "VideoTimes", "costs_of", "measure_empty_chunks", "measure_video"]

_WARM_UP = 20
_WARM_UP_SHARE = 0.1
_OUTPUTS = ("tracks",)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyChunks:
    """What a chunk costs whatever its length, in seconds.

    Attributes:
        each_s: From one chunk to the next, by one worker.
        worker_s: Processor time of the worker.
        final_s: Processor time of the worker that does the final pass.
        broker_s: Processor time of the broker.
    """

    each_s: float
    worker_s: float
    final_s: float
    broker_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTimes:
    """What the tasks of one job took, in seconds of this process's processor time.

    Attributes:
        frames: Frames of the video.
        chunks: Its chunks.
        ingest_s: Of ingest; by the clock, since another process looks at the video.
        index_s: Of finding the frames of the video, which is the part of it that grows with them.
        chunks_s: Of all chunks.
        final_s: Of the final pass, when all chunks were there.
        video_bytes: Size of the video.
        result_bytes: Size of the results of all chunks.
    """

    frames: int
    chunks: int
    ingest_s: float
    index_s: float
    chunks_s: float
    final_s: float
    video_bytes: int
    result_bytes: int


def costs_of(
    transactions: TransactionTimes, empty: EmptyChunks, video: VideoTimes, part: VideoTimes
) -> Costs:
    """Make the costs of the model of what was measured.

    Args:
        transactions: Of the store.
        empty: Chunks without work.
        video: A job with work.
        part: A job with the first half of it.
    """
    transactions_s = transactions.claim_s + transactions.finish_s
    own_s = max(0.0, empty.worker_s - transactions_s)
    waits_s = max(0.0, empty.each_s - empty.worker_s - empty.broker_s)
    around_s = video.chunks * (own_s + transactions_s)
    final_frame_s = _slope(video, part, empty)
    final_s = video.final_s - video.chunks * empty.final_s - video.frames * final_frame_s
    found = {
        "frame_s": max(0.0, video.chunks_s - around_s) / video.frames,
        "chunk_s": own_s,
        "chunk_wait_s": waits_s,
        "claim_s": transactions.claim_s,
        "renew_s": transactions.renew_s,
        "finish_s": transactions.finish_s,
        "message_s": empty.broker_s,
        "final_chunk_s": empty.final_s,
        "final_s": max(0.0, final_s),
        "final_frame_s": final_frame_s,
        "ingest_s": max(0.0, video.ingest_s - video.index_s),
        "ingest_frame_s": video.index_s / video.frames,
        "video_frame_bytes": video.video_bytes / video.frames,
        "result_frame_bytes": video.result_bytes / video.frames,
    }
    return Costs(**found)


def _slope(video: VideoTimes, part: VideoTimes, empty: EmptyChunks) -> float:
    """Say what a frame more costs the final pass."""
    chunks, frames = video.chunks - part.chunks, video.frames - part.frames
    return max(0.0, video.final_s - part.final_s - chunks * empty.final_s) / max(1, frames)


def measure_transactions(database: str | None) -> dict[str, TransactionTimes]:
    """Time the transactions of one job of many chunks, and of many jobs of one."""
    return {
        "one job": time_transactions(database, jobs=1, chunks=500),
        "many jobs": time_transactions(database, jobs=500, chunks=1),
    }


def measure_empty_chunks(broker: str, database: str | None, *, chunks: int) -> EmptyChunks:
    """Have a worker process do chunks of 0.2 s of video that nothing is done with.

    Raises:
        SightlineError: A worker does not start, or the job failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        video = make_chunk_video(Path(folder, "chunks.mp4"), chunks=max(chunks, _WARM_UP))
        with chunk_workers(broker, database).open(1) as site:
            do_chunks(site, video, NOTHING, _WARM_UP)
            clocks: list[Callable[[], float]] = [partial(used_s, pid) for pid in site.processes]
            clocks.append(_broker_clock(broker))
            before = [clock() for clock in clocks]
            done = do_chunks(site, video, NOTHING, chunks)
            worker_s, final_s, broker_s = (
                (clock() - then) / chunks for clock, then in zip(clocks, before, strict=True)
            )
    return EmptyChunks(each_s=done.each_s, worker_s=worker_s, final_s=final_s, broker_s=broker_s)


def measure_video(video: Path, model: Path) -> tuple[VideoTimes, VideoTimes]:
    """Do jobs that detect and track, on one thread: the whole video, and its first half.

    Raises:
        SightlineError: A job failed.
    """
    _measure_part(video, model, share=_WARM_UP_SHARE)  # modules are loaded once
    return _measure_part(video, model, share=1.0), _measure_part(video, model, share=0.5)


def _measure_part(video: Path, model: Path, *, share: float) -> VideoTimes:
    limit_cores(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            url = f"sqlite:///{root / 'jobs.sqlite'}"
            with Database(url) as database:
                database.migrate()
            options = WorkOptions(sizes=ChunkSizes(workers=8))
            with open_workplace(url, root, options=options) as place:
                place.pipelines.get(detect_and_track(model))
                return _times(place, video, detect_and_track(model), share)
    finally:
        limit_cores(None)


def _times(place: Workplace, video: Path, definition: dict[str, Any], share: float) -> VideoTimes:
    started_s = time.process_time()
    index = index_file(video, options=SourceOptions())
    index_s = time.process_time() - started_s
    length_s = float((int(index.frames[-1]) - int(index.frames[0])) * index.time_base)
    end_s = None if share == 1.0 else share * length_s
    job_id = _submit(place, video, definition, end_s)
    took_s: dict[TaskKind, list[float]] = defaultdict(list)
    for kind in (TaskKind.INGEST, TaskKind.CHUNK, TaskKind.FINAL):
        while (elapsed_s := _do_one(place, kind)) is not None:
            took_s[kind].append(elapsed_s)
    job = place.store.get(job_id)
    if job.state is not JobState.SUCCEEDED:
        raise SightlineError(f"the job of the benchmark {job.state}: {job.failure}")
    files = place.storage.job(job_id)
    return VideoTimes(
        frames=job.progress.frames_final,
        chunks=job.progress.chunks_total,
        ingest_s=sum(took_s[TaskKind.INGEST]),
        index_s=index_s,
        chunks_s=sum(took_s[TaskKind.CHUNK]),
        final_s=sum(took_s[TaskKind.FINAL]),
        video_bytes=video.stat().st_size,
        result_bytes=sum(path.stat().st_size for path in (files.folder / "chunks").iterdir()),
    )


def _do_one(place: Workplace, kind: TaskKind) -> float | None:
    """Do a task of a kind; say what it took, None if there is none."""
    clock = time.perf_counter if kind is TaskKind.INGEST else time.process_time
    started_s = clock()
    lease = place.store.claim([kind], worker="bench", policy=place.policy, now_s=place.clock())
    if lease is None:
        return None
    do_task(lease, place)
    return clock() - started_s


def _submit(place: Workplace, video: Path, definition: dict[str, Any], end_s: float | None) -> str:
    job_id = f"{time.monotonic_ns():x}"
    upload = place.storage.upload(job_id)
    upload.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(video, upload)
    spec = JobSpec(
        source_name=video.name,
        upload=job_id,
        pipeline="bench",
        params={},
        definition=definition,
        outputs=_OUTPUTS,
        end_s=end_s,
    )
    place.store.add(Job(id=job_id, spec=spec, created_at=time.time()))
    return job_id


def _broker_clock(broker: str) -> Callable[[], float]:
    """Give what tells the processor time that a broker has used; 0 where that is not known."""
    if not broker.startswith("redis"):
        return lambda: 0.0
    import redis

    def used() -> float:
        with redis.Redis.from_url(broker) as client:
            told: Any = client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    return used
