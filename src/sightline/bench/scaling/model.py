"""The job service as a simulation: workers, store, broker, storage, final passes.

    worker      message → claim → fetch the video, unless the machine has it → work → put the result
                → finish → the next one; the oldest job first, and its ingest when there is no chunk
    claims      one at a time, whatever job they come to
    job row     one transaction at a time on each job, of all that the store carries out at once
    leases      renewed while chunks are worked on
    final pass  one of each job; takes the chunks in order as they are done

It knows nothing of processes, databases and videos: only how long things take.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.bench.scaling.bounds import RESOURCES
from sightline.bench.scaling.engine import Engine, Signal, Station, serve
from sightline.bench.scaling.parameters import Files, renewals_per_s

if TYPE_CHECKING:
    from sightline.bench.scaling.engine import Process
    from sightline.bench.scaling.parameters import Cluster, Costs, Workload

__all__ = ["Prediction", "simulate"]

_SLICE_S = 1.0
"""Who shares a core takes turns with others."""
_SPREAD = 0.2
"""Chunks of the same length differ in what they take, by so much to either side at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a simulation found.

    Attributes:
        workers: How many there were.
        seconds: Until the last final pass had the last chunk.
        chunks_per_s: Chunks by the time until then.
        frames_per_s: Frames by the same.
        utilisation: By resource, which part of what it has was taken, 0 to 1: of a job's row while
            chunks of the job are worked on, the mean over the jobs.
    """

    workers: int
    seconds: float
    chunks_per_s: float
    frames_per_s: float
    utilisation: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """The resource of which most is taken; of equal ones, the first."""
        return max(self.utilisation, key=lambda name: self.utilisation[name])


def simulate(costs: Costs, cluster: Cluster, workload: Workload, *, seed: int = 0) -> Prediction:
    """Predict how long a cluster takes for a workload; the same for the same seed."""
    return _Service(costs, cluster, workload, seed).run()


class _Job:
    """What is known of a job."""

    def __init__(self, engine: Engine, number: int, chunks: int) -> None:
        self.number = number
        self.row = Station(engine)
        self.done = [Signal(engine) for _ in range(chunks)]
        self.next = 0
        self.finished = 0
        self.running = 0
        self.since_s: float | None = None
        self.until_s = 0.0
        self.is_renewed = False


class _Machine:
    """What workers on one machine share."""

    def __init__(self, engine: Engine, cores: int | None) -> None:
        self.cores = None if cores is None else Station(engine, cores)
        self.videos: dict[int, Signal] = {}


class _Service:
    """One run."""

    def __init__(self, costs: Costs, cluster: Cluster, workload: Workload, seed: int) -> None:
        self._costs = costs
        self._cluster = cluster
        self._workload = workload
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._engine = engine = Engine()
        self._claims = Station(engine)
        self._store = Station(engine, cluster.store_parallel)
        self._broker = Station(engine)
        self._storage = Station(engine)
        self._machines = [
            _Machine(engine, cluster.cores_per_machine) for _ in range(cluster.machines)
        ]
        self._jobs = [
            _Job(engine, number, workload.chunks_per_job) for number in range(workload.jobs)
        ]
        self._ready: list[_Job] = []  # with chunks to give out, the oldest last
        self._ingested = 0
        self._asked = 0
        self._news = Signal(engine)
        self._worked_s = 0.0
        self._ingest_s = 0.0
        self._final_s = 0.0
        self._ended_s = 0.0

    def run(self) -> Prediction:
        """Simulate it to its end."""
        for number in range(self._cluster.workers):
            self._engine.resume(self._worker(self._machines[number % self._cluster.machines]))
        for job in self._jobs:
            self._engine.resume(self._final_pass(job))
        self._engine.run()
        chunks, seconds = self._workload.chunks, self._ended_s
        return Prediction(
            workers=self._cluster.workers,
            seconds=seconds,
            chunks_per_s=chunks / seconds,
            frames_per_s=chunks * self._workload.frames_per_chunk / seconds,
            utilisation=self._utilisation(seconds),
        )

    def _utilisation(self, seconds: float) -> dict[str, float]:
        cores = [machine.cores for machine in self._machines if machine.cores is not None]
        rows = [
            job.row.busy_s() / max(1e-9, job.until_s - (job.since_s or 0)) for job in self._jobs
        ]
        taken = {
            "workers": self._worked_s / (self._cluster.workers * seconds),
            "cores": sum(c.busy_s() / c.places for c in cores) / (len(cores) or 1) / seconds,
            "claims": self._claims.busy_s() / seconds,
            "job row": sum(rows) / len(rows),
            "store": self._store.busy_s() / self._store.places / seconds,
            "broker": self._broker.busy_s() / seconds,
            "storage": self._storage.busy_s() / seconds,
            "ingest": self._ingest_s / self._workload.jobs / seconds,
            "final pass": self._final_s / self._workload.jobs / seconds,
        }
        return {name: taken[name] for name in RESOURCES}

    def _worker(self, machine: _Machine) -> Process:
        """Do one task after the other, until there will be no more."""
        while True:
            if self._ready:
                job = self._ready[-1]
                number = job.next
                job.next += 1
                if job.next == self._workload.chunks_per_job:
                    self._ready.pop()
                yield from self._chunk(machine, job, number)
            elif self._asked < len(self._jobs):
                self._asked += 1
                yield from self._ingest(machine, self._jobs[self._asked - 1])
            elif self._ingested < len(self._jobs):
                yield self._news
            else:
                return

    def _ingest(self, machine: _Machine, job: _Job) -> Process:
        """Bring the video into the storage, and plan the chunks."""
        begun_s = self._engine.now_s
        frames = self._workload.chunks_per_job * self._workload.frames_per_chunk
        work_s = self._costs.ingest_s + frames * self._costs.ingest_frame_s
        yield from self._compute(machine, work_s)
        yield from self._transfer(frames * self._costs.video_frame_bytes)
        self._ingest_s += self._engine.now_s - begun_s
        self._ingested += 1
        self._ready.append(job)
        self._ready.sort(key=lambda some: -some.number)
        news, self._news = self._news, Signal(self._engine)
        news.give()

    def _chunk(self, machine: _Machine, job: _Job, number: int) -> Process:
        costs, frames = self._costs, self._workload.frames_per_chunk
        self._begin(job)
        yield from serve(self._broker, costs.message_s)
        yield self._claims
        yield from self._transact(machine, job, costs.claim_s)
        self._claims.release()
        yield from self._fetch(machine, job)
        part = 1 + _SPREAD * (2 * self._random.random() - 1)
        cpu_s = part * (costs.chunk_s + frames * costs.frame_s)
        wait_s = part * (costs.chunk_wait_s + frames * costs.frame_wait_s)
        self._worked_s += cpu_s + wait_s + costs.claim_s + costs.finish_s + costs.message_s
        yield from self._compute(machine, cpu_s)
        yield wait_s
        yield from self._transfer(frames * costs.result_frame_bytes)
        yield from self._transact(machine, job, costs.finish_s)
        job.running -= 1
        job.until_s = self._engine.now_s
        job.done[number].give()

    def _begin(self, job: _Job) -> None:
        job.running += 1
        if job.since_s is None:
            job.since_s = self._engine.now_s
        if not job.is_renewed:
            job.is_renewed = True
            self._engine.resume(self._renewals(job))

    def _renewals(self, job: _Job) -> Process:
        """Renew the leases of a job, as often as there are of them."""
        while job.running:
            yield 1 / renewals_per_s(job.running)
            if job.running:
                yield job.row
                yield from serve(self._store, self._costs.renew_s)
                job.row.release()
        job.is_renewed = False

    def _final_pass(self, job: _Job) -> Process:
        costs, frames = self._costs, self._workload.frames_per_chunk
        machine = self._machines[job.number % len(self._machines)]
        each_s = costs.final_chunk_s + frames * costs.final_frame_s
        for done in job.done:
            yield done
            yield from self._transfer(frames * costs.result_frame_bytes)
            yield from self._compute(machine, each_s)
            self._final_s += each_s
        yield from self._compute(machine, costs.final_s)
        self._final_s += costs.final_s
        self._ended_s = max(self._ended_s, self._engine.now_s)

    def _transact(self, machine: _Machine, job: _Job, seconds: float) -> Process:
        """Hold the row of a job for a transaction, which is the worker's own work, too."""
        yield job.row
        yield self._store
        yield from self._compute(machine, seconds)
        self._store.release()
        job.row.release()

    def _compute(self, machine: _Machine, seconds: float) -> Process:
        """Work on a core, in turns with those who share it."""
        if machine.cores is None:
            yield seconds
            return
        while seconds > 0:
            now_s = min(_SLICE_S, seconds)
            yield from serve(machine.cores, now_s)
            seconds -= now_s

    def _fetch(self, machine: _Machine, job: _Job) -> Process:
        """Have the video on the machine: who comes first fetches it, others wait for that."""
        if self._cluster.files is Files.SHARED:
            part = self._workload.frames_per_chunk * self._costs.video_frame_bytes
            yield from self._transfer(part)
            return
        if job.number in machine.videos:
            yield machine.videos[job.number]
            return
        machine.videos[job.number] = there = Signal(self._engine)
        frames = self._workload.chunks_per_job * self._workload.frames_per_chunk
        yield from self._transfer(frames * self._costs.video_frame_bytes)
        there.give()

    def _transfer(self, size_bytes: float) -> Process:
        yield from serve(self._storage, size_bytes / self._cluster.storage_bytes_per_s)
