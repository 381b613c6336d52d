"""The opponents of the hop benchmark: real processes, real sockets, real shared memory."""

import os
from pathlib import Path

import pytest

from sightline.bench.hop.bare_ring import bare_ring
from sightline.bench.hop.load import HopLoad
from sightline.bench.hop.pickled import pickle_push_pull
from sightline.bench.hop.processes import SINK, run_processes
from sightline.errors import GraphError

SMALL = {"width": 64, "height": 48, "frames": 50}


@pytest.mark.parametrize("side", [pickle_push_pull, bare_ring])
@pytest.mark.parametrize("rate", [None, 500.0])
def test_an_opponent_delivers_every_frame_and_leaves_no_segment(side, rate):
    result = side(HopLoad(**SMALL, rate=rate))
    assert result.delivered == 50
    assert 0 < result.latency_p50_ms <= result.latency_p95_ms
    assert result.cpu_ms_per_frame > 0
    assert result.frames_per_second > 0
    assert not list(Path("/dev/shm").glob(f"sightline-hop-{os.getpid()}-*"))


def test_a_sink_that_dies_is_an_error():
    with pytest.raises(GraphError, match="the sink of the benchmark died"):
        run_processes(HopLoad(**SMALL), {SINK: divmod})  # which raises TypeError in its process
