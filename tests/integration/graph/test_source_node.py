"""What a source node makes sure of before it waits, and what it says while it works."""

import os
import threading
from contextlib import closing

import numpy as np
import pytest
from tests.graph_witness import until

from sightline.errors import GraphError, SharedMemoryError
from sightline.graph.node_source import SourceNode, SourceNodeOptions
from sightline.pipeline.stream_spec import StreamSpec
from sightline.settings import Settings
from sightline.testing.source import ListSource
from sightline.transport.host import host_id
from sightline.transport.messages import Hello, Ready, encode
from sightline.transport.zmq_link import connect


@pytest.fixture
def source():
    return ListSource([np.zeros((480, 640, 3), np.uint8)], "cam")


def node(source, **options):
    given = SourceNodeOptions(bind="tcp://127.0.0.1:*", **options)
    return SourceNode(StreamSpec(source), given, tell=print)


def test_a_source_node_whose_window_holds_no_frame_waits_for_nobody(source):
    message = "window_bytes=1000 holds no frame of stream 'cam', which needs 921600 bytes"
    with pytest.raises(GraphError, match=message):
        node(source, window_bytes=1000)
    assert source.closed


@pytest.mark.parametrize("window_bytes", [None, 2**24])
def test_a_source_node_without_memory_for_its_window_waits_for_nobody(
    source, monkeypatch, window_bytes
):
    monkeypatch.setattr("sightline.transport.segment.free_bytes", lambda: 2**20)
    with pytest.raises(SharedMemoryError, match="but 1,048,576 are free"):
        node(source, window_bytes=window_bytes)
    assert source.closed


def test_a_source_node_of_which_nothing_comes_back_asks_for_the_collector(
    source, monkeypatch, tmp_path
):
    monkeypatch.setattr("sightline.graph.node_meter._SILENCE_S", 0.3)
    told, stop = [], threading.Event()
    settings = Settings(runtime_dir=tmp_path / "runs")
    options = SourceNodeOptions(bind="tcp://127.0.0.1:*", settings=settings)
    silent = SourceNode(StreamSpec(source), options, tell=told.append)
    working = threading.Thread(target=silent.run, args=(stop,))
    working.start()
    try:
        with closing(connect(silent.address, identity=b"handler")) as handler:
            handler.send([encode(Hello(role="handler", host=host_id(), pid=os.getpid()))])
            handler.send([encode(Ready())])
            until(lambda: sum("is the collector there?; 1 handler" in line for line in told) > 1)
    finally:
        stop.set()
        working.join()
