"""Jobs of a benchmark whose chunks are as short as it says, and how fast they are done.

Ingest would make no chunks of less than 16 frames, since they are not worth opening the video for;
here that is what is measured. So the benchmark does the ingest itself, and plans the chunks: one
for each group of pictures of a video that it has made. All else is as it is for every job.
"""

from __future__ import annotations

import shutil
import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from sightline.bench.job_sites import wait_for_end
from sightline.errors import SightlineError
from sightline.jobs.model import Job, JobSpec, Span, VideoFacts
from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.store import Ingested, JobStateError, LeasePolicy
from sightline.media.index import index_file
from sightline.media.options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.bench.job_sites import OpenSite

__all__ = ["ChunkVideo", "ChunksDone", "do_chunks", "make_chunk_video"]

RATE = 25
_SIZE = (160, 120)
_SHADES = 8
_POLL_S = 0.05
_TIMEOUT_S = 7200.0
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkVideo:
    """A video that divides into many chunks of the same length.

    Attributes:
        path: The file.
        spans: The chunks.
        frames_per_chunk: Frames of each.
    """

    path: Path
    spans: Sequence[Span]
    frames_per_chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksDone:
    """How fast the chunks of a job were done.

    Attributes:
        started_s: When the first was begun, in seconds since 1970.
        times_s: From then on, seconds at which it was looked how many were done.
        counts: How many were done then; the last one is all.
        frames: Frames that came out of the final pass.
        lost: Chunks that were not done.
        doubled: Chunks that were begun more than once, or have more than one result.
    """

    started_s: float
    times_s: Sequence[float]
    counts: Sequence[int]
    frames: int
    lost: int
    doubled: int

    @property
    def chunks(self) -> int:
        """How many chunks there were."""
        return self.counts[-1]

    @property
    def each_s(self) -> float:
        """Seconds from one chunk to the next."""
        return self.between(0.0, 1.0)

    def between(self, begin: float, end: float) -> float:
        """Give the seconds from one chunk to the next in a part of the job.

        Args:
            begin: Where the part begins, 0 to 1.
            end: Where it ends.

        >>> done = ChunksDone(
        ...     started_s=0, times_s=[0, 1, 3], counts=[0, 10, 20], frames=0, lost=0, doubled=0
        ... )
        >>> done.between(0.0, 0.5), done.between(0.5, 1.0)
        (0.1, 0.2)
        """
        first = bisect_left(self.counts, begin * self.chunks)
        last = bisect_left(self.counts, end * self.chunks)
        number = self.counts[last] - self.counts[first]
        return (self.times_s[last] - self.times_s[first]) / max(1, number)


def make_chunk_video(path: Path, *, chunks: int, frames_per_chunk: int = 5) -> ChunkVideo:
    """Write a video with a key frame at the beginning of every chunk.

    Args:
        path: An MP4 file to write.
        chunks: How many it divides into.
        frames_per_chunk: Frames of each, at 25 frames/s.
    """
    width, height = _SIZE
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "sc_threshold": "0", "bf": "0"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = frames_per_chunk
        stream.codec_context.time_base = Fraction(1, RATE)
        shades = [
            av.VideoFrame.from_ndarray(np.full((height, width, 3), 30 * n, np.uint8), "bgr24")
            for n in range(_SHADES)
        ]
        for number in range(chunks * frames_per_chunk):
            frame = shades[number % _SHADES]
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    spans = _spans(path, frames_per_chunk)
    return ChunkVideo(path=path, spans=spans, frames_per_chunk=frames_per_chunk)


def _spans(path: Path, frames: int) -> list[Span]:
    """Plan a chunk for each group of pictures."""
    index = index_file(path, options=SourceOptions())
    edges = [*(int(pts) for pts in index.entries), int(index.frames[-1]) + 1]
    return [
        Span(begin_pts=begin, end_pts=end, seek_pts=begin, frames=frames)
        for begin, end in pairwise(edges)
    ]


def do_chunks(
    site: OpenSite, video: ChunkVideo, stage: Mapping[str, Any], chunks: int
) -> ChunksDone:
    """Have a job's chunks done, and its final pass; remove the job.

    Args:
        site: Who does them.
        video: What they are chunks of.
        stage: What is done with the frames, as in a pipeline file.
        chunks: How many of the chunks.

    Raises:
        SightlineError: The job failed.
    """
    job_id = _submit(site, video, stage, chunks)
    site.executor.wake(TaskKind)
    times_s, counts = _watch(site, job_id, chunks)
    job = wait_for_end(site.store, job_id)
    if job.state is not JobState.SUCCEEDED or job.progress.detect_since is None:
        raise SightlineError(f"a job of the benchmark {job.state}: {job.failure}")
    tasks = [task for task in site.store.tasks(job_id) if task.kind is TaskKind.CHUNK]
    results = len(list((site.storage.job(job_id).folder / "chunks").iterdir()))
    began_s = job.progress.detect_since
    done = ChunksDone(
        started_s=began_s,
        times_s=[0.0, *(moment - began_s for moment in times_s)],
        counts=[0, *counts],
        frames=job.progress.frames_final,
        lost=sum(task.state is not TaskState.DONE for task in tasks),
        doubled=sum(task.attempt != 1 for task in tasks) + max(0, results - chunks),
    )
    site.store.delete(job_id)
    site.storage.job(job_id).remove()
    return done


def _submit(site: OpenSite, video: ChunkVideo, stage: Mapping[str, Any], chunks: int) -> str:
    """Bring a job to where its chunks are ready."""
    spans = video.spans[:chunks]
    if len(spans) < chunks:
        raise SightlineError(f"the video has {len(spans)} chunks, but {chunks} are to be done")
    for _ in range(_TRIES):
        job_id = f"{time.monotonic_ns():x}"
        spec = JobSpec(
            source_name=video.path.name,
            upload=job_id,
            pipeline="bench",
            params={},
            definition={"stages": [stage]},
            tracked=False,
            outputs=(),
        )
        site.store.add(Job(id=job_id, spec=spec, created_at=time.time()))
        lease = site.store.claim(
            [TaskKind.INGEST], worker="bench", policy=LeasePolicy(), now_s=time.time()
        )
        if lease is not None and lease.job.id == job_id:
            files = site.storage.job(job_id)
            files.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(video.path, files.source)
            done = Ingested(video=_facts(video, len(spans)), spans=spans)
            site.store.finish_ingest(lease, done, now_s=time.time())
            return job_id
        # A worker has looked for work in this very moment, and may have failed the job by now.
        with suppress(JobStateError):
            site.store.cancel(job_id, policy=LeasePolicy(), now_s=time.time())
    raise SightlineError("other workers take the jobs of the benchmark")


def _facts(video: ChunkVideo, chunks: int) -> VideoFacts:
    frames = chunks * video.frames_per_chunk
    return VideoFacts(
        container="mp4",
        codec="h264",
        width=_SIZE[0],
        height=_SIZE[1],
        frame_rate=float(RATE),
        duration_s=frames / RATE,
        frames=frames,
        size_bytes=video.path.stat().st_size,
        sha256="",
        playable=True,
    )


def _watch(site: OpenSite, job_id: str, chunks: int) -> tuple[list[float], list[int]]:
    """Look again and again how many chunks are done, until all are."""
    times_s: list[float] = []
    counts: list[int] = []
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not counts or counts[-1] < chunks:
        if time.monotonic() > deadline_s:
            raise SightlineError(f"a job of the benchmark takes more than {_TIMEOUT_S:g} s")
        time.sleep(_POLL_S)
        job = site.store.get(job_id)
        if job.state.terminal and job.progress.chunks_done < chunks:
            raise SightlineError(f"a job of the benchmark {job.state}: {job.failure}")
        times_s.append(time.time())
        counts.append(job.progress.chunks_done)
    return times_s, counts
