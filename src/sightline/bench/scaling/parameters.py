"""What the model of a job service is made of: what each part of the work takes, and of what.

Every figure is the time that a part of the work holds a resource, not the time until it is done:
waiting is what the model finds out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Cluster", "Costs", "Files", "Workload", "renewals_per_s"]

_BEAT_S = 0.5
_UNHURRIED_S = 5.0
_FEW_CHUNKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What work takes.

    Attributes:
        frame_s: Seconds of processor time for a frame of a chunk, decoding included.
        frame_wait_s: Seconds that a worker waits for each besides, as for an accelerator elsewhere.
        chunk_s: Seconds of processor time for a chunk whatever its length: the worker's, but for
            the transactions.
        chunk_wait_s: Seconds that a worker waits for each chunk besides: for disk and messages.
        claim_s: Seconds of the transaction that gives a chunk out; it holds the row of the job.
        renew_s: The same of the one that renews a lease.
        finish_s: The same of the one that notes that a chunk is done.
        message_s: Seconds of the broker for the message of a chunk, from sending to acknowledging.
        final_s: Seconds of the final pass whatever there is.
        final_chunk_s: Seconds of the final pass for a chunk whatever its length.
        final_frame_s: Seconds of the final pass for a frame.
        ingest_s: Seconds of ingest whatever the video: looking at it in a sandbox.
        ingest_frame_s: Seconds of ingest for a frame: reading the packets, planning the chunks.
        video_frame_bytes: Size of the video, by its frames.
        result_frame_bytes: Size of the result of a chunk, by its frames.
    """

    frame_s: float
    frame_wait_s: float = 0.0
    chunk_s: float
    chunk_wait_s: float = 0.0
    claim_s: float
    renew_s: float
    finish_s: float
    message_s: float
    final_s: float = 0.0
    final_chunk_s: float = 0.0
    final_frame_s: float
    ingest_s: float = 0.0
    ingest_frame_s: float = 0.0
    video_frame_bytes: float = 0.0
    result_frame_bytes: float = 0.0


class Files(StrEnum):
    """How machines come to the videos."""

    COPIED = "copied"
    """From a store such as S3: each machine fetches a whole video before its first chunk of it."""
    SHARED = "shared"
    """In a folder that all have: of each chunk its own part is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What there is to work with.

    Attributes:
        workers: Processes that do a task each at a time.
        workers_per_machine: How many of them share a machine and its copies of videos.
        cores_per_machine: How many cores those of a machine share, final passes included; None:
            everyone has one.
        store_parallel: How many transactions on different jobs the store carries out at once:
            1 for SQLite, the cores of the database server for PostgreSQL.
        storage_bytes_per_s: What the storage of files gives and takes; inf: it is no limit.
        files: How machines come to the videos.
    """

    workers: int
    workers_per_machine: int = 8
    cores_per_machine: int | None = None
    store_parallel: int = 8
    storage_bytes_per_s: float = math.inf
    files: Files = Files.COPIED

    def __post_init__(self) -> None:
        if self.workers < 1 or self.workers_per_machine < 1 or self.store_parallel < 1:
            raise ValueError(f"a cluster has at least one of everything, but is {self}")

    @property
    def machines(self) -> int:
        """How many machines the workers are on."""
        return -(-self.workers // self.workers_per_machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What there is to do; all of it is there from the beginning.

    Attributes:
        jobs: How many videos.
        chunks_per_job: Chunks of each.
        frames_per_chunk: Frames of each chunk.
    """

    jobs: int
    chunks_per_job: int
    frames_per_chunk: int

    def __post_init__(self) -> None:
        if self.jobs < 1 or self.chunks_per_job < 1 or self.frames_per_chunk < 1:
            raise ValueError(f"a workload has at least one of everything, but is {self}")

    @property
    def chunks(self) -> int:
        """Chunks of all jobs."""
        return self.jobs * self.chunks_per_job

    def at_once(self, workers: int) -> int:
        """Say how many jobs are worked on at once: the oldest ones, as many as it takes.

        >>> hours = Workload(jobs=100, chunks_per_job=60, frames_per_chunk=1500)
        >>> hours.at_once(8), hours.at_once(600), hours.at_once(100_000)
        (1, 10, 100)
        """
        return min(self.jobs, -(-workers // self.chunks_per_job))


def renewals_per_s(running: float) -> float:
    """Say how often the leases of a job are renewed, all together.

    Each is renewed every half second while few chunks of the job are worked on, less often where
    they are many, and at least every five seconds (`jobs.heartbeat`).

    >>> [renewals_per_s(running) for running in (1, 8, 80, 1000)]
    [2.0, 16.0, 16.0, 200.0]
    """
    each_s = min(max(_BEAT_S, _BEAT_S * running / _FEW_CHUNKS), _UNHURRIED_S)
    return running / each_s
