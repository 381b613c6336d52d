"""What a source node makes sure of before it waits, and what it says while it works."""

import numpy as np
import pytest

from sightline.errors import GraphError, SharedMemoryError
from sightline.graph.node_source import SourceNode, SourceNodeOptions
from sightline.pipeline.stream_spec import StreamSpec
from sightline.testing.source import ListSource


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
