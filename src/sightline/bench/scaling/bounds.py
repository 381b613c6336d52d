"""How much each resource can give at most: by arithmetic alone, to check the simulation with.

By the utilisation law, a resource that a chunk holds for D seconds on average is busy for X·D of
every second at X chunks/s, and of its c places there are c at most: X ≤ c / D (Lazowska, Zahorjan,
Graham and Sevcik, Quantitative System Performance, 1984, chapters 3 and 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.bench.scaling.parameters import Files, renewals_per_s

if TYPE_CHECKING:
    from sightline.bench.scaling.parameters import Cluster, Costs, Workload

__all__ = ["RESOURCES", "Bound", "bounds", "first_bottleneck", "worker_s"]

RESOURCES = (
    "workers",
    "cores",
    "claims",
    "job row",
    "store",
    "broker",
    "storage",
    "ingest",
    "final pass",
)
"""What a chunk needs, as tables name it.

Claims are one of their own: in PostgreSQL, workers of the same queues take turns at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One resource.

    Attributes:
        resource: One of `RESOURCES`.
        chunks_per_s: No more than so many with it, whatever else there is.
    """

    resource: str
    chunks_per_s: float


def worker_s(costs: Costs, workload: Workload) -> float:
    """Say how long a worker has a chunk if it waits for nobody but what it waits for by itself."""
    frames = workload.frames_per_chunk
    own_s = costs.chunk_s + costs.chunk_wait_s + frames * (costs.frame_s + costs.frame_wait_s)
    return costs.message_s + costs.claim_s + own_s + costs.finish_s


def bounds(costs: Costs, cluster: Cluster, workload: Workload) -> tuple[Bound, ...]:
    """Give the bound of every resource, in the order of `RESOURCES`.

    That of the storage is one of the mean: how often a video is copied depends on which machines
    its chunks come to.
    """
    row_s = _row_s(costs, cluster, workload)
    final_s = costs.final_chunk_s + workload.frames_per_chunk * costs.final_frame_s
    final_s += costs.final_s / workload.chunks_per_job
    ingest_s = costs.ingest_s / workload.chunks_per_job
    ingest_s += workload.frames_per_chunk * costs.ingest_frame_s
    # Of the jobs at work, one more may have its last chunks under way.
    rows = min(workload.jobs, workload.at_once(cluster.workers) + 1)
    limits = {
        "workers": cluster.workers / worker_s(costs, workload),
        "cores": _cores(cluster) / (_core_s(costs, workload) + final_s),
        "claims": _over(1.0, costs.claim_s),
        "job row": _over(rows, row_s),
        "store": _over(cluster.store_parallel, row_s),
        "broker": _over(1.0, costs.message_s),
        "storage": _over(cluster.storage_bytes_per_s, _bytes(costs, cluster, workload)),
        "ingest": _over(workload.jobs, ingest_s),
        "final pass": _over(workload.jobs, final_s),
    }
    return tuple(Bound(resource=name, chunks_per_s=limits[name]) for name in RESOURCES)


def first_bottleneck(found: tuple[Bound, ...]) -> Bound:
    """Give the lowest of some bounds; of equal ones, the first."""
    return min(found, key=lambda bound: bound.chunks_per_s)


def _cores(cluster: Cluster) -> float:
    if cluster.cores_per_machine is None:
        return math.inf
    return cluster.machines * cluster.cores_per_machine


def _core_s(costs: Costs, workload: Workload) -> float:
    """Say how much processor time a chunk takes of a worker."""
    transactions_s = costs.claim_s + costs.finish_s
    return costs.chunk_s + workload.frames_per_chunk * costs.frame_s + transactions_s


def _row_s(costs: Costs, cluster: Cluster, workload: Workload) -> float:
    """Say how long a chunk holds the row of its job, renewals of its lease included."""
    running = cluster.workers / workload.at_once(cluster.workers)
    renewals = renewals_per_s(running) / running * worker_s(costs, workload)
    return costs.claim_s + costs.finish_s + renewals * costs.renew_s


def _bytes(costs: Costs, cluster: Cluster, workload: Workload) -> float:
    """Say what a chunk takes from the storage and gives to it.

    Ingest writes the video. Of those that are copied, each machine that gets a chunk reads all of
    the video, once. Results are written by workers, and read by the final pass.
    """
    machines, chunks = cluster.machines, workload.chunks_per_job
    is_copied = cluster.files is Files.COPIED
    copies = machines * (1 - (1 - 1 / machines) ** chunks) if is_copied else 1.0
    frame = costs.video_frame_bytes * (1 + copies) + 2 * costs.result_frame_bytes
    return frame * workload.frames_per_chunk


def _over(amount: float, demand: float) -> float:
    return amount / demand if demand else math.inf
