"""The benchmark of `sightline serve`: what it costs jobs that many clients watch them.

    alone      jobs on the workers of a service that nobody else talks to
    watched    the same with clients that poll, and clients with event streams

Everything is real: the service is a process of its own, the clients are another, and all share the
machine, so that the work of the clients is part of the cost.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sightline.bench.interleave import Comparison, Spread, take_turns
from sightline.bench.processor_time import clocked_s
from sightline.bench.watchers import Audience, Seen, watched
from sightline.client.options import JobOptions
from sightline.client.sync import Client
from sightline.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ALONE", "WATCHED", "ServiceBenchmark", "ServiceResults"]

ALONE = "jobs, alone"
WATCHED = "jobs, watched"
_JOBS = 3
_OPTIONS = JobOptions(params={"detector": "bench"})
_ADDRESS = re.compile(r"http://[\d.]+:\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    frames_per_s: float
    seconds: float
    service_s: float
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    address: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResults:
    """All that was measured.

    Attributes:
        comparison: Frames/s of the jobs, alone and watched.
        latency_ms: By percentile, of `GET /v1/jobs/{id}` while jobs ran; over the rounds.
        answers_per_s: Answers to pollers.
        events_per_s: Events over streams.
        service_cores: Processor time that the service took beside its workers, by side, as a share
            of one core.
        client_cores: The same of the clients.
    """

    comparison: Comparison
    latency_ms: dict[int, Spread]
    answers_per_s: Spread
    events_per_s: Spread
    service_cores: dict[str, Spread]
    client_cores: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBenchmark:
    """What to measure.

    Attributes:
        video: The video of every job.
        model: ONNX file of the detector.
        rounds: How many rounds count, after one that does not.
        pollers: Clients that ask for a job every `every_s`.
        streams: Clients with an event stream.
        every_s: Seconds from one question of a poller to its next; None: as the service advises.
    """

    video: Path
    model: Path
    rounds: int = 5
    pollers: int = 200
    streams: int = 100
    every_s: float | None = None

    def run(self) -> ServiceResults:
        """Measure both sides.

        Raises:
            ServiceError: The service cannot be started, or a job failed.
        """
        with _served(self.model) as served, Client(served.address) as client:
            rounds = take_turns(
                {
                    ALONE: lambda: self._run_jobs(client, served, watch=False),
                    WATCHED: lambda: self._run_jobs(client, served, watch=True),
                },
                rounds=self.rounds,
            )
        rates = {side: [ran.frames_per_s for ran in some] for side, some in rounds.items()}
        some = rounds[WATCHED]
        cuts = [statistics.quantiles(ran.seen.latencies_s, n=100) for ran in some]
        return ServiceResults(
            comparison=Comparison(rounds=rates),
            latency_ms={n: Spread.of([1000 * cut[n - 1] for cut in cuts]) for n in (50, 99)},
            answers_per_s=Spread.of([len(ran.seen.latencies_s) / ran.seconds for ran in some]),
            events_per_s=Spread.of([ran.seen.events / ran.seconds for ran in some]),
            service_cores={
                side: Spread.of([ran.service_s / ran.seconds for ran in both])
                for side, both in rounds.items()
            },
            client_cores=Spread.of([ran.seen.cpu_s / ran.seconds for ran in some]),
        )

    def _run_jobs(self, client: Client, served: _Served, *, watch: bool) -> _Ran:
        """Run a few jobs at once, and have them watched if so wished. Remove them."""
        ids = [client.submit(self.video, options=_OPTIONS).id for _ in range(_JOBS)]
        audience = watched(self._audience(served.address, ids)) if watch else nullcontext(Seen())
        with audience as seen:
            begun, before = time.perf_counter(), _frames_done(client, ids)
            begun_cpu_s = clocked_s([served.pid])
            ended = [client.wait(job_id) for job_id in ids]
            seconds = time.perf_counter() - begun
            service_s = clocked_s([served.pid]) - begun_cpu_s
        for job in ended:
            if not job.succeeded:
                raise ServiceError(f"a job of the benchmark {job.status}: {job.error}")
        frames = _frames_done(client, ids) - before
        for job_id in ids:
            client.delete(job_id)
        return _Ran(frames_per_s=frames / seconds, seconds=seconds, service_s=service_s, seen=seen)

    def _audience(self, address: str, ids: list[str]) -> Audience:
        place = urlsplit(address)
        return Audience(
            host=place.hostname or "",
            port=place.port or 80,
            job_ids=ids,
            pollers=self.pollers,
            streams=self.streams,
            every_s=self.every_s,
        )


def _frames_done(client: Client, ids: list[str]) -> int:
    return sum(client.get(job_id).progress["frames_done"] for job_id in ids)


@contextmanager
def _served(model: Path) -> Iterator[_Served]:
    """Run a service on a free port and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sightline", "serve", "--port", "0", "--data", folder]
        command += ["--detector", f"bench={model.resolve()}"]
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                found = _ADDRESS.search(line)
                if found is None:
                    raise ServiceError("the service of the benchmark does not start")
                yield _Served(address=found[0], pid=process.pid)
            finally:
                process.terminate()
