"""Sources that began, by the clocks of their machines, before another one of their name."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from tests.graph_witness import until

from sightline.errors import GraphError
from sightline.graph.node_collector import CollectorNode, CollectorNodeOptions
from sightline.graph.node_source import SourceNode, SourceNodeOptions
from sightline.graph.plan import make_plan
from sightline.pipeline.stream_spec import StreamSpec
from sightline.settings import Settings
from sightline.testing.source import ListSource
from sightline.transport.messages import (
    Announce,
    Done,
    Hello,
    Ready,
    StreamFacts,
    Welcome,
    decode,
    encode,
)
from sightline.transport.zmq_link import connect

HELLO = Hello(role="handler", host="elsewhere", pid=1)


class Peer:
    """A handler of which every message is written out here."""

    def __init__(self, address):
        self.link = connect(address, identity=b"handler")

    def say(self, message):
        self.link.send([encode(message)])

    def hear(self, kind):
        """Wait for the next message of a kind."""

        def heard():
            received = self.link.receive()
            if received is None:
                return None
            message = decode(received.parts[0])
            return message if isinstance(message, kind) else None

        return until(heard)


@contextmanager
def at_work(node):
    """Run a node in a thread; give a handler of it, and the list of what it raises."""
    stop, raised = threading.Event(), []

    def run():
        try:
            node.run(stop)
        except GraphError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    peer = Peer(node.address)
    try:
        peer.say(HELLO)
        yield peer, raised
    finally:
        stop.set()
        thread.join()
        peer.link.close()


def announce(epoch):
    facts = StreamFacts(name="cam", width=8, height=8, time_base=(1, 30))
    return Announce(facts, epoch, 0)


@pytest.fixture
def collector():
    told = []
    options = CollectorNodeOptions(bind="tcp://127.0.0.1:*", make_sinks=lambda _: [])
    node = CollectorNode(make_plan([], spread=False), options, tell=told.append)
    with at_work(node) as (peer, _):
        yield peer, told


@pytest.fixture
def source(tmp_path):
    spec = StreamSpec(ListSource([np.zeros((8, 8, 3), np.uint8)] * 3), name="cam")
    settings = Settings(runtime_dir=tmp_path / "runs")
    options = SourceNodeOptions(bind="tcp://127.0.0.1:*", settings=settings)
    with at_work(SourceNode(spec, options, tell=lambda _: None)) as (peer, raised):
        yield peer, raised


def test_a_collector_tells_handlers_the_last_epoch_of_every_stream(collector):
    handler, _ = collector
    assert handler.hear(Welcome).epochs == []
    handler.say(announce(7))
    handler.say(HELLO)
    assert handler.hear(Welcome).epochs == [("cam", 7)]


def test_a_collector_refuses_a_source_that_is_older_than_the_one_before_and_says_so(collector):
    handler, told = collector
    handler.say(announce(7000))
    handler.say(announce(4000))
    assert handler.hear(Done).refused == [("cam", 4000, 7000)]
    assert any("cam: a source is left out that began 3.0 s before" in line for line in told)


def test_a_source_begins_after_the_last_epoch_that_there_was(source):
    handler, _ = source
    handler.hear(Welcome)
    handler.say(Ready([("cam", 1 << 50), ("other", 1 << 51)]))
    assert handler.hear(Announce).epoch == (1 << 50) + 1


def test_a_source_that_is_refused_fails_and_names_the_clock(source):
    handler, raised = source
    handler.hear(Welcome)
    handler.say(Ready())
    epoch = handler.hear(Announce).epoch
    handler.say(Done([], [], [("cam", epoch, epoch + 5000)]))
    (error,) = until(lambda: raised)
    assert "began 5.0 s after this one" in str(error)
    assert "set the clock right" in str(error)


def test_a_source_that_another_one_took_the_place_of_goes_on(source):
    handler, raised = source
    handler.hear(Welcome)
    handler.say(Ready())
    epoch = handler.hear(Announce).epoch
    handler.say(Done([("cam", epoch, 0)]))
    handler.say(Done([], [], [("cam", epoch, epoch + 5000)]))
    handler.say(HELLO)
    handler.hear(Welcome)
    assert raised == []
