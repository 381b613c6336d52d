"""What is predicted: clusters of 1 to 1,000 workers on one long video, and on many videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.bench.scaling.bounds import Bound, bounds, first_bottleneck
from sightline.bench.scaling.model import Prediction, simulate
from sightline.bench.scaling.parameters import Cluster, Costs, Files, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WORKERS", "Scenario", "Sizing", "predict"]

WORKERS = (1, 10, 32, 100, 320, 1000)

_DAY = Workload(jobs=1, chunks_per_job=2000, frames_per_chunk=1080)
_HOUR_CHUNKS, _HOUR_FRAMES = 60, 1500
_FEWEST_HOURS = 20
_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What the machines are like; assumed, since one machine cannot measure it.

    Attributes:
        workers_per_machine: How many workers share a machine; each has a core.
        store_parallel: How many transactions the database carries out at once.
        storage_bytes_per_s: What the storage gives and takes.
        files: How machines come to the videos.
    """

    workers_per_machine: int = 8
    store_parallel: int = 100
    storage_bytes_per_s: float = 1.25e9
    files: Files = Files.COPIED

    def cluster(self, workers: int) -> Cluster:
        """Describe a cluster of so many workers."""
        return Cluster(
            workers=workers,
            workers_per_machine=self.workers_per_machine,
            store_parallel=self.store_parallel,
            storage_bytes_per_s=self.storage_bytes_per_s,
            files=self.files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A prediction, and the bound that arithmetic gives.

    Attributes:
        prediction: By the simulation.
        lowest: The lowest of the bounds.
    """

    prediction: Prediction
    lowest: Bound


def predict(
    costs: Costs, sizing: Sizing, workers: Iterable[int] = WORKERS
) -> dict[str, list[Scenario]]:
    """Predict by workload, for each number of workers."""
    numbers = tuple(workers)
    loads = {
        "one video of 24 hours, 2,000 chunks": lambda _: _DAY,
        "videos of an hour, 60 chunks each": _hours,
    }
    return {
        name: [_scenario(costs, sizing.cluster(number), load(number)) for number in numbers]
        for name, load in loads.items()
    }


def _hours(workers: int) -> Workload:
    """Give each worker several chunks."""
    return Workload(
        jobs=max(_FEWEST_HOURS, _ROUNDS * workers // _HOUR_CHUNKS),
        chunks_per_job=_HOUR_CHUNKS,
        frames_per_chunk=_HOUR_FRAMES,
    )


def _scenario(costs: Costs, cluster: Cluster, load: Workload) -> Scenario:
    return Scenario(
        prediction=simulate(costs, cluster, load),
        lowest=first_bottleneck(bounds(costs, cluster, load)),
    )
