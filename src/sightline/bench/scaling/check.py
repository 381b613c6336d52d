"""Compares what the model predicts with what real workers on this machine do.

waiting    chunks of five frames, at each of which a worker waits 50 ms, as for an accelerator
elsewhere: as many worker processes as are asked for
detecting  a video that is detected and tracked, on one worker and on one per core
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.bench.chunk_jobs import do_chunks, make_chunk_video
from sightline.bench.job_sites import CelerySite
from sightline.bench.jobs import JobsBenchmark, job_side
from sightline.bench.overhead import chunk_workers
from sightline.bench.scaling.model import simulate
from sightline.bench.scaling.parameters import Cluster, Costs, Workload
from sightline.jobs.chunking import ChunkSizes, plan_spans
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Checked", "check_detecting", "check_waiting"]

_WAIT_S = 0.05
_FRAMES = 5
_LEAST_CHUNKS = 40
_CHUNKS_PER_WORKER = 12
_FAN_OUT = 8
"""For so many workers `sightline worker` divides a video, unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A prediction, and what came of it.

    Attributes:
        what: What was done.
        workers: By how many worker processes.
        unit: Of both figures.
        predicted: By the model.
        measured: By the clock.
    """

    what: str
    workers: int
    unit: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """By which part of the measurement the prediction is too high; negative: too low."""
        return self.predicted / self.measured - 1


def check_waiting(
    costs: Costs, broker: str, database: str | None, *, workers: Iterable[int]
) -> list[Checked]:
    """Check chunks at which workers wait."""
    waiting = replace(
        costs,
        frame_s=0.0,
        frame_wait_s=_WAIT_S,
        ingest_frame_s=0.0,
        final_frame_s=0.0,
        video_frame_bytes=0.0,
        result_frame_bytes=0.0,
    )
    stage: dict[str, Any] = {"sightline.bench.chunk_stages:Waits": {"each_s": _WAIT_S}}
    checked = []
    with tempfile.TemporaryDirectory() as folder:
        for number in workers:
            chunks = max(_LEAST_CHUNKS, _CHUNKS_PER_WORKER * number)
            video = make_chunk_video(Path(folder, f"{chunks}.mp4"), chunks=chunks)
            with chunk_workers(broker, database, processes=number).open(1) as site:
                do_chunks(site, video, stage, 2 * number)  # every process has begun
                done = do_chunks(site, video, stage, chunks)
            load = Workload(jobs=1, chunks_per_job=chunks, frames_per_chunk=_FRAMES)
            found = simulate(waiting, _this_machine(number, database), load)
            checked.append(
                Checked(
                    what="waiting",
                    workers=number,
                    unit="chunks/s",
                    predicted=found.chunks_per_s,
                    measured=1 / done.each_s,
                )
            )
    return checked


def check_detecting(
    costs: Costs, files: tuple[Path, Path], broker: str, database: str | None, *, rounds: int
) -> list[Checked]:
    """Check a job that detects and tracks.

    Args:
        costs: What was measured with the same files.
        files: Video and model.
        broker: URL of the broker.
        database: URL of the database; None: SQLite.
        rounds: How many rounds count; the medians are compared.
    """
    video, model = files
    cores = usable_cores()
    site = CelerySite(broker=broker, database=database)
    results = JobsBenchmark(
        video=video, model=model, rounds=rounds, workers=cores, site=site, with_loop=False
    ).run()
    spans = plan_spans(video, sizes=ChunkSizes(workers=max(_FAN_OUT, cores)))
    frames = sum(span.frames or 0 for span in spans)
    load = Workload(
        jobs=1, chunks_per_job=len(spans), frames_per_chunk=max(1, round(frames / len(spans)))
    )
    return [
        Checked(
            what="detecting",
            workers=number,
            unit="frames/s",
            predicted=simulate(costs, _this_machine(number, database), load).frames_per_s,
            measured=results.comparison.figure(job_side(number)).median,
        )
        for number in sorted({1, cores})
    ]


def _this_machine(workers: int, database: str | None) -> Cluster:
    """Describe where the measurements are made: everything on one machine."""
    return Cluster(
        workers=workers,
        workers_per_machine=workers,
        cores_per_machine=usable_cores(),
        store_parallel=1 if database is None else usable_cores(),
    )
