"""The benchmark of what surrounds the work of a chunk: what Celery adds, and how it bears many.

    local      chunks of 0.2 s of video that nothing is done with, on one worker of a service
    celery     the same on a process of `sightline worker`

Both do nothing but chunks, since another process does the final pass. What Celery adds to a chunk
is the difference. Then thousands of chunks are queued at once for the worker: none may be lost,
each is to be done exactly once, and the last ones as quickly as the first.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sightline.bench.chunk_jobs import ChunksDone, ChunkVideo, do_chunks, make_chunk_video
from sightline.bench.interleave import Comparison, Spread, take_turns
from sightline.bench.job_sites import CelerySite, JobSite, LocalSite
from sightline.bench.redis_server import broker_or_own

__all__ = ["CELERY", "LOCAL", "NOTHING", "OverheadBenchmark", "OverheadResults", "chunk_workers"]

LOCAL = "local, 1 worker"
CELERY = "celery, 1 worker"
NOTHING: dict[str, Any] = {"sightline.bench.chunk_stages:Nothing": {}}
_WARM_UP = 20
_PART = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OverheadResults:
    """All that was measured.

    Attributes:
        each_ms: Milliseconds per chunk, by side.
        queued: The chunks that were queued at once; None: none were.
    """

    each_ms: Comparison
    queued: ChunksDone | None

    @property
    def added_ms(self) -> Spread:
        """What Celery adds to a chunk, round by round."""
        sides = self.each_ms.rounds
        pairs = zip(sides[CELERY], sides[LOCAL], strict=True)
        return Spread.of([celery - local for celery, local in pairs])

    @property
    def chunks_per_s(self) -> Spread:
        """How many chunks a worker begins in a second."""
        return Spread.of([1000 / each for each in self.each_ms.rounds[CELERY]])

    def table(self) -> str:
        """Print the figures beside the goals."""
        rows = [
            (f"{side}, ms per chunk", self.each_ms.figure(side), "") for side in (LOCAL, CELERY)
        ]
        rows += [
            ("Celery adds, ms per chunk", self.added_ms, "≤ 50"),
            ("chunks per second, 1 worker", self.chunks_per_s, "≥ 50"),
        ]
        lines = [_line(*row) for row in rows]
        if self.queued is not None:
            lines += _queued_lines(self.queued)
        return "\n".join(lines)

    def report(self) -> dict[str, Any]:
        """State all figures as JSON values."""
        queued = self.queued
        return {
            "each_ms": dict(self.each_ms.rounds),
            "queued": None
            if queued is None
            else {
                "chunks": queued.chunks,
                "lost": queued.lost,
                "doubled": queued.doubled,
                "frames": queued.frames,
                "each_ms": 1000 * queued.each_s,
                "first_ms": 1000 * queued.between(0.0, _PART),
                "last_ms": 1000 * queued.between(1.0 - _PART, 1.0),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OverheadBenchmark:
    """What to measure.

    Attributes:
        broker: URL of a broker; None: a Redis of one's own.
        database: URL of a database for the workers with a broker; None: SQLite.
        rounds: How many rounds count.
        chunks: How many chunks are done in each.
        queued: How many are queued at once in the end; 0: none.
    """

    broker: str | None = None
    database: str | None = None
    rounds: int = 5
    chunks: int = 400
    queued: int = 10_000

    def run(self) -> OverheadResults:
        """Measure all.

        Raises:
            SightlineError: There is no broker, a worker does not start, or a job failed.
        """
        with broker_or_own(self.broker) as broker, tempfile.TemporaryDirectory() as folder:
            chunks = max(self.chunks, _WARM_UP)
            video = make_chunk_video(Path(folder, "short.mp4"), chunks=chunks)
            sites: dict[str, JobSite] = {
                LOCAL: LocalSite(warm={"stages": [NOTHING]}),
                CELERY: chunk_workers(broker, self.database),
            }
            sides = {
                name: partial(_each_ms, site, video, self.chunks) for name, site in sites.items()
            }
            rounds = take_turns(sides, rounds=self.rounds, warm_up=0)
            return OverheadResults(
                each_ms=Comparison(rounds=rounds),
                queued=self._queue_many(sites[CELERY], Path(folder)) if self.queued else None,
            )

    def _queue_many(self, site: JobSite, folder: Path) -> ChunksDone:
        video = make_chunk_video(folder / "long.mp4", chunks=max(self.queued, _WARM_UP))
        return _done_by_one(site, video, self.queued)


def chunk_workers(broker: str, database: str | None, *, processes: int = 1) -> CelerySite:
    """Have workers do nothing but chunks, and one besides do everything else.

    Args:
        broker: URL of the broker.
        database: URL of the database; None: SQLite.
        processes: How many processes each worker has.
    """
    rest = ("--concurrency", "1", "--queues", "ingest,finalize")
    own = ("--concurrency", str(processes), "--threads", "1", "--queues", "detect")
    return CelerySite(broker=broker, database=database, options=own, others=(rest,))


def _each_ms(site: JobSite, video: ChunkVideo, chunks: int) -> float:
    return 1000 * _done_by_one(site, video, chunks).each_s


def _done_by_one(site: JobSite, video: ChunkVideo, chunks: int) -> ChunksDone:
    """Have one worker do chunks, after some that do not count."""
    with site.open(1) as opened:
        do_chunks(opened, video, NOTHING, _WARM_UP)
        return do_chunks(opened, video, NOTHING, chunks)


def _queued_lines(done: ChunksDone) -> list[str]:
    what = f"{done.chunks} chunks queued at once"
    return [
        _line(f"{what}: lost", done.lost, "0"),
        _line(f"{what}: done more than once", done.doubled, "0"),
        _line("ms per chunk, all of them", f"{1000 * done.each_s:.4g}", ""),
        _line("ms per chunk, the first tenth", f"{1000 * done.between(0, _PART):.4g}", ""),
        _line("ms per chunk, the last tenth", f"{1000 * done.between(1 - _PART, 1):.4g}", ""),
    ]


def _line(name: str, value: object, goal: str) -> str:
    return f"{name:<48} {value!s:<24} {goal}".rstrip()
