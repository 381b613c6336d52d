"""The benchmark of jobs: one video, shared by the workers of a service, against the plain loop.

    loop         the plain loop, inference on all cores
    job, N       a job on N warm workers, from its submission to its end; it writes tracks.json
    job, 1       the same on one worker

and, of the jobs on N workers, the time from submission to the first frame that was processed. The
database, the workers and the files are those of `sightline serve`, or of `sightline worker` with a
broker; HTTP is left out, since it adds some milliseconds to a job.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sightline.bench.interleave import Comparison, Spread, take_turns
from sightline.bench.job_sites import LocalSite, wait_for_end
from sightline.bench.plain_loop import PlainLoop
from sightline.errors import SightlineError
from sightline.jobs.model import Job, JobSpec
from sightline.jobs.states import JobState, TaskKind
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.bench.job_sites import JobSite, OpenSite

__all__ = ["LOOP", "JobsBenchmark", "JobsResults", "Ran", "detect_and_track", "job_side"]

LOOP = "loop, all cores"
_OUTPUTS = ("tracks",)
"""What the loop would give its callers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one side did in one round.

    Attributes:
        frames_per_s: Frames by the time from submission to the end.
        first_frame_s: Seconds from submission to the first frame; None where it has no meaning.
    """

    frames_per_s: float
    first_frame_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsResults:
    """All that was measured.

    Attributes:
        workers: How many workers the job had.
        rounds: By side, what it did in each round.
    """

    workers: int
    rounds: dict[str, list[Ran]]

    @property
    def comparison(self) -> Comparison:
        """The rates."""
        return Comparison(
            rounds={side: [ran.frames_per_s for ran in some] for side, some in self.rounds.items()}
        )

    @property
    def first_frame_s(self) -> Spread:
        """Seconds from submission to the first frame, on all workers."""
        some = self.rounds[job_side(self.workers)]
        return Spread.of([ran.first_frame_s for ran in some if ran.first_frame_s is not None])


def job_side(workers: int) -> str:
    """Name the side of the job on so many workers.

    >>> job_side(1)
    'job, 1 worker'
    """
    return f"job, {workers} worker{'s' if workers > 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsBenchmark:
    """What to measure.

    Attributes:
        video: The video; all of it is processed in every round.
        model: ONNX file of a YOLOX model with a fixed input size.
        rounds: How many rounds count; each side has warmed up before.
        workers: How many workers share the video.
        site: Where they are; None: inside a service.
        with_loop: The plain loop takes part.
    """

    video: Path
    model: Path
    rounds: int = 5
    workers: int = field(default_factory=usable_cores)
    site: JobSite | None = None
    with_loop: bool = True

    def run(self) -> JobsResults:
        """Measure all sides.

        Raises:
            SightlineError: The video or model cannot be used, or a job failed.
        """
        sides: dict[str, Callable[[], Ran]] = {}
        if self.with_loop:
            loop = PlainLoop(self.model)
            loop.run(self.video)  # a job warms up before each round, too
            sides[LOOP] = partial(_run_loop, loop, self.video)
        for count in sorted({self.workers, 1}, reverse=True):
            sides[job_side(count)] = partial(self._run_jobs, count)
        rounds = take_turns(sides, rounds=self.rounds, warm_up=0)
        return JobsResults(workers=self.workers, rounds=rounds)

    def _run_jobs(self, workers: int) -> Ran:
        """Start a service's workers, run one job to warm up and one that counts."""
        site = self.site or LocalSite(warm=detect_and_track(self.model))
        with site.open(workers) as opened:
            self._run_job(opened)
            return self._run_job(opened)

    def _run_job(self, site: OpenSite) -> Ran:
        started_s = time.time()
        name = f"{time.monotonic_ns():x}"
        upload = site.storage.upload(name)
        upload.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.video, upload)
        spec = JobSpec(
            source_name=self.video.name,
            upload=name,
            pipeline="bench",
            params={},
            definition=detect_and_track(self.model),
            outputs=_OUTPUTS,
        )
        site.store.add(Job(id=name, spec=spec, created_at=started_s))
        site.executor.wake(TaskKind)
        job = wait_for_end(site.store, name)
        if job.state is not JobState.SUCCEEDED or job.finished_at is None:
            raise SightlineError(f"the job of the benchmark {job.state}: {job.failure}")
        site.store.delete(name)
        begun_s = job.progress.detect_since or job.finished_at
        return Ran(
            frames_per_s=job.progress.frames_final / (job.finished_at - started_s),
            first_frame_s=begun_s - started_s,
        )


def _run_loop(loop: PlainLoop, video: Path) -> Ran:
    started = time.perf_counter()
    frames = loop.run(video)
    return Ran(frames_per_s=frames / (time.perf_counter() - started))


def detect_and_track(model: Path) -> dict[str, Any]:
    """Give the definition of the pipeline that is measured."""
    return {"stages": [{"detect": {"detector": str(model.resolve())}}, "track"]}
