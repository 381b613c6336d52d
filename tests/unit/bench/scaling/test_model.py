"""The simulation of the job service: deterministic, within bounds, and right where that is easy."""

from dataclasses import replace

import pytest

from sightline.bench.scaling.bounds import RESOURCES, bounds, first_bottleneck, worker_s
from sightline.bench.scaling.model import simulate
from sightline.bench.scaling.parameters import Cluster, Costs, Files, Workload

COSTS = Costs(
    frame_s=0.02,
    chunk_s=0.01,
    chunk_wait_s=0.005,
    claim_s=0.002,
    renew_s=0.002,
    finish_s=0.003,
    message_s=0.0005,
    final_frame_s=0.0004,
    ingest_frame_s=0.00001,
    video_frame_bytes=10_000,
    result_frame_bytes=500,
)
FREE = replace(
    COSTS,
    claim_s=0.0,
    renew_s=0.0,
    finish_s=0.0,
    message_s=0.0,
    final_frame_s=0.0,
    ingest_frame_s=0.0,
)
VIDEO = Workload(jobs=1, chunks_per_job=400, frames_per_chunk=50)
VIDEOS = Workload(jobs=20, chunks_per_job=40, frames_per_chunk=50)
STORAGE = 100e6


def limit(costs, cluster, workload):
    return {bound.resource: bound.chunks_per_s for bound in bounds(costs, cluster, workload)}


@pytest.mark.parametrize("workload", [VIDEO, VIDEOS])
def test_the_same_seed_predicts_the_same_and_another_nearly_so(workload):
    cluster = Cluster(workers=20, storage_bytes_per_s=STORAGE)
    first, again, other = (simulate(COSTS, cluster, workload, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert other.chunks_per_s == pytest.approx(first.chunks_per_s, rel=0.05)


@pytest.mark.parametrize("workload", [VIDEO, VIDEOS])
@pytest.mark.parametrize("workers", [1, 10, 50, 200])
@pytest.mark.parametrize("cores", [None, 4])
def test_no_prediction_exceeds_what_a_resource_can_give(workload, workers, cores):
    cluster = Cluster(workers=workers, cores_per_machine=cores, storage_bytes_per_s=STORAGE)
    found = simulate(COSTS, cluster, workload)
    for resource, most in limit(COSTS, cluster, workload).items():
        tolerance = 0.2 if resource == "storage" else 0.02  # how often videos are copied is a mean
        assert found.chunks_per_s <= (1 + tolerance) * most, resource
    assert all(0 <= part <= 1.0001 for part in found.utilisation.values())
    assert tuple(found.utilisation) == RESOURCES


@pytest.mark.parametrize("workers", [1, 4, 10])
def test_workers_that_share_nothing_are_as_fast_as_arithmetic_says(workers):
    cluster = Cluster(workers=workers)
    found = simulate(FREE, cluster, VIDEO)
    assert found.chunks_per_s == pytest.approx(workers / worker_s(FREE, VIDEO), rel=0.03)
    assert found.bottleneck == "workers"


@pytest.mark.parametrize(
    ("resource", "costs", "cluster", "workload"),
    [
        ("job row", replace(COSTS, finish_s=0.05), Cluster(workers=200), VIDEO),
        ("claims", replace(COSTS, claim_s=0.05), Cluster(workers=200), VIDEOS),
        ("store", COSTS, Cluster(workers=200, store_parallel=1), replace(VIDEOS, jobs=60)),
        ("broker", replace(COSTS, message_s=0.05), Cluster(workers=200), VIDEOS),
        ("final pass", COSTS, Cluster(workers=200), VIDEO),
        ("cores", COSTS, Cluster(workers=64, workers_per_machine=64, cores_per_machine=4), VIDEO),
        ("storage", COSTS, Cluster(workers=200, storage_bytes_per_s=STORAGE), VIDEO),
        ("ingest", replace(COSTS, ingest_frame_s=0.01), Cluster(workers=200), VIDEO),
    ],
)
def test_a_bottleneck_is_named_and_gives_all_that_it_has(resource, costs, cluster, workload):
    found = simulate(costs, cluster, workload)
    lowest = first_bottleneck(bounds(costs, cluster, workload))
    assert lowest.resource == resource
    assert found.bottleneck == resource
    assert found.chunks_per_s == pytest.approx(lowest.chunks_per_s, rel=0.25)


@pytest.mark.parametrize("workload", [VIDEO, VIDEOS])
def test_more_workers_are_never_slower_until_there_is_a_bottleneck(workload):
    rates = [
        simulate(COSTS, Cluster(workers=workers), workload).chunks_per_s
        for workers in (1, 2, 4, 8, 16, 32)
    ]
    assert rates == sorted(rates)
    assert rates[1] == pytest.approx(2 * rates[0], rel=0.05)


def test_videos_are_copied_to_every_machine_that_gets_a_chunk():
    many = Cluster(workers=64, workers_per_machine=1, storage_bytes_per_s=STORAGE)
    few = replace(many, workers_per_machine=64)
    part = {
        cluster: simulate(COSTS, cluster, VIDEO).utilisation["storage"] for cluster in (many, few)
    }
    assert part[many] > 2 * part[few]


def test_of_a_shared_video_each_machine_reads_only_its_part():
    copied = Cluster(workers=64, workers_per_machine=1, storage_bytes_per_s=STORAGE)
    shared = replace(copied, files=Files.SHARED)
    assert limit(COSTS, shared, VIDEO)["storage"] > 10 * limit(COSTS, copied, VIDEO)["storage"]
    fast = simulate(COSTS, shared, VIDEO)
    assert fast.seconds < simulate(COSTS, copied, VIDEO).seconds
    assert fast.utilisation["storage"] < 0.5


@pytest.mark.parametrize("number", ["jobs", "chunks_per_job", "frames_per_chunk"])
def test_a_workload_of_nothing_is_refused(number):
    with pytest.raises(ValueError, match="at least one of everything"):
        replace(VIDEO, **{number: 0})


@pytest.mark.parametrize("number", ["workers", "workers_per_machine", "store_parallel"])
def test_a_cluster_of_nothing_is_refused(number):
    with pytest.raises(ValueError, match="at least one of everything"):
        replace(Cluster(workers=1), **{number: 0})
