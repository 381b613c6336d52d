"""What every link between nodes must do: the fake, local sockets, ZeroMQ over each transport."""

import os
import socket
import threading
import time
from contextlib import closing
from itertools import count

import numpy as np
import pytest

from sightline.errors import LinkError
from sightline.testing.link import MemoryNetwork
from sightline.transport.link import LARGE_PART_BYTES, Link
from sightline.transport.unix_link import connect_unix, listen_unix
from sightline.transport.zmq_link import connect, listen

DEADLINE_S = 30.0
NUMBERS = count()


class Network:
    """Opens links of one kind at one address, and closes them all."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.memory = MemoryNetwork()
        self.links = []
        # Bound but not listening, it keeps the port from others; ZeroMQ shares it.
        self.port = socket.socket()
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port.bind(("127.0.0.1", 0))
        self.address = {
            "memory": "hub",
            "unix": f"{folder}/hub",
            "inproc": f"inproc://hub-{next(NUMBERS)}",
            "ipc": f"ipc://{folder}/hub",
            "tcp": f"tcp://127.0.0.1:{self.port.getsockname()[1]}",
        }[kind]
        functions = {"memory": (self.memory.listen, self.memory.connect)}
        functions["unix"] = (listen_unix, connect_unix)
        self._listen, self._connect = functions.get(kind, (listen, connect))

    def listen(self):
        link = self._listen(self.address)
        self.links.append(link)
        return link

    def listen_again(self):
        """Listen once the one before has left, which ZeroMQ does in the background."""
        return until(self._try_to_listen)

    def _try_to_listen(self):
        try:
            return self.listen()
        except LinkError:
            return None

    def connect(self, identity=b"node"):
        link = self._connect(self.address, identity=identity)
        self.links.append(link)
        return link

    def pair(self):
        """Open a listening and a connecting link that know each other."""
        hub = self.listen()
        return hub, self.introduced(hub)

    def introduced(self, hub, identity=b"node"):
        node = self.connect(identity)
        node.send([b"hello"])
        assert take(hub) == (identity, [b"hello"])
        return node


@pytest.fixture(params=["memory", "unix", "inproc", "ipc", "tcp"])
def network(request, tmp_path):
    network = Network(request.param, tmp_path)
    yield network
    for link in [*network.links, network.port]:
        link.close()


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return found


def take(link, *senders):
    """Receive the next message, which is or will be there once the senders go on."""
    deadline = time.monotonic() + DEADLINE_S
    while (message := link.receive()) is None:
        assert time.monotonic() < deadline
        for sender in senders:
            sender.wait(0.0)
        link.wait(1.0)
    return message


def is_gone(hub, peer):
    try:
        hub.send([b"still there?"], to=peer)
    except LinkError:
        return True
    return False


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with closing(os.fdopen(reading, "rb")), closing(os.fdopen(writing, "wb", buffering=0)) as end:
        yield reading, end


def test_both_sides_are_links(network):
    assert all(isinstance(link, Link) for link in network.pair())


def test_messages_of_each_peer_arrive_in_order_without_gaps(network):
    hub = network.listen()
    nodes = {name: network.connect(name) for name in (b"a", b"b", b"c")}
    for number in range(1000):
        for node in nodes.values():
            node.send([number.to_bytes(2, "big")])
    arrived = {name: [] for name in nodes}
    for _ in range(3000):
        sender, (part,) = take(hub, *nodes.values())
        arrived[sender].append(int.from_bytes(part, "big"))
    assert arrived == {name: list(range(1000)) for name in nodes}


def test_a_message_goes_to_the_peer_it_is_for_and_to_no_other(network):
    hub = network.listen()
    nodes = {name: network.introduced(hub, name) for name in (b"a", b"b", bytes(range(1, 256)))}
    for name in nodes:
        hub.send([b"for", name], to=name)
    assert {name: take(node) for name, node in nodes.items()} == {
        name: (b"", [b"for", name]) for name in nodes
    }
    assert all(node.receive() is None for node in nodes.values())


@pytest.mark.parametrize(
    "parts",
    [[b""], [b"", b""], [b"a", b"", b"c"], [b"", b"b", b""], [bytes([n]) * n for n in range(255)]],
    ids=["empty", "two empty", "empty between", "empty around", "255 parts"],
)
def test_parts_stay_apart_and_may_be_empty(network, parts):
    hub, node = network.pair()
    node.send(parts)
    hub.send(parts, to=b"node")
    assert take(hub) == (b"node", parts)
    assert take(node) == (b"", parts)


def test_any_contiguous_buffer_can_be_a_part(network):
    hub, node = network.pair()
    image = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    nothing = np.empty((0, 4), np.float32)
    node.send([memoryview(b"header"), image, bytearray(b"array"), image[1], nothing])
    parts = [b"header", image.tobytes(), b"array", image[1].tobytes(), b""]
    assert take(hub) == (b"node", parts)


def test_what_cannot_be_sent_raises_and_leaves_the_next_message_alone(network):
    hub, node = network.pair()
    for link, to in ((node, b""), (hub, b"node")):
        with pytest.raises(TypeError, match="contiguous"):
            link.send([b"x", np.zeros((4, 4), np.uint8)[:, 1]], to=to)
        with pytest.raises(TypeError):
            link.send([b"x", "text"], to=to)
        with pytest.raises(ValueError, match="at least one part"):
            link.send([], to=to)
        link.send([b"whole"], to=to)
    assert take(hub).parts == take(node).parts == [b"whole"]


def test_a_payload_of_25_mb_arrives_whole_in_both_directions(network):
    hub, node = network.pair()
    payload = np.random.default_rng(3).integers(0, 256, 25_000_000, np.uint8)
    payload.flags.writeable = False
    node.send([b"header", payload, b"trailer"])
    hub.send([payload], to=b"node")
    _, (header, image, trailer) = take(hub)
    assert (header, trailer) == (b"header", b"trailer")
    assert np.array_equal(np.frombuffer(image, np.uint8), payload)
    assert np.array_equal(np.frombuffer(take(node).parts[0], np.uint8), payload)


def test_small_parts_and_the_first_are_bytes_and_large_ones_outlive_the_link(network):
    hub, node = network.pair()
    large = bytes(range(256)) * (LARGE_PART_BYTES // 256) + b"x"
    node.send([large, large[:-1], large])
    first, small, last = take(hub).parts
    network.links.remove(hub)
    hub.close()
    assert type(first) is type(small) is bytes
    assert isinstance(last, memoryview)
    assert (first, small, last) == (large, large[:-1], large)


def test_a_peer_that_was_never_there_is_an_error(network):
    hub = network.listen()
    for peer in (b"nobody", b""):
        with pytest.raises(LinkError, match="is not connected"):
            hub.send([b"anybody?"], to=peer)


def test_a_peer_that_has_left_is_an_error_and_the_others_stay(network):
    hub, node = network.pair()
    other = network.introduced(hub, b"other")
    node.close()
    until(lambda: is_gone(hub, b"node"))
    hub.send([b"you are here"], to=b"other")
    assert take(other).parts == [b"you are here"]


def test_a_connecting_side_has_one_peer_and_a_name(network):
    _, node = network.pair()
    with pytest.raises(ValueError, match="has one peer"):
        node.send([b"x"], to=b"other")
    for identity in (b"", b"\0a", b"x" * 256):
        with pytest.raises(ValueError, match="1 to 255 bytes"):
            network.connect(identity)


def test_sending_does_not_block_before_anybody_listens_and_nothing_is_lost(network):
    node = network.connect()
    for number in range(5000):
        node.send([number.to_bytes(2, "big"), b"x" * 1000])
    hub = network.listen()
    arrived = [int.from_bytes(take(hub, node).parts[0], "big") for _ in range(5000)]
    assert arrived == list(range(5000))


def test_sending_does_not_block_while_the_peer_reads_nothing(network):
    hub, node = network.pair()
    for number in range(5000):
        hub.send([number.to_bytes(2, "big"), b"x" * 1000], to=b"node")
    arrived = [int.from_bytes(take(node, hub).parts[0], "big") for _ in range(5000)]
    assert arrived == list(range(5000))


def test_receiving_does_not_block(network):
    hub, node = network.pair()
    assert hub.receive() is None
    assert node.receive() is None
    assert network.connect(b"early").receive() is None


def test_waiting_ends_when_a_message_is_there_however_it_came(network):
    hub, node = network.pair()
    for link, back, to in ((hub, node, b""), (node, hub, b"node")):
        for _ in range(100):
            sender = threading.Thread(target=back.send, args=([b"x"],), kwargs={"to": to})
            sender.start()
            assert link.wait(DEADLINE_S) == []
            sender.join()
            assert take(link).parts == [b"x"]
        assert link.receive() is None


def test_waiting_returns_at_once_as_long_as_messages_are_left(network):
    hub, node = network.pair()
    for _ in range(3):
        node.send([b"x"])
    for _ in range(3):
        started = time.monotonic()
        hub.wait(DEADLINE_S)
        assert time.monotonic() - started < DEADLINE_S / 2
        assert take(hub).parts == [b"x"]


def test_waiting_ends_when_time_is_up(network):
    hub, _ = network.pair()
    started = time.monotonic()
    assert hub.wait(0.0) == hub.wait(-1.0) == []
    assert hub.wait(0.05) == []
    assert time.monotonic() - started >= 0.05
    assert hub.receive() is None


def test_waiting_names_the_other_descriptors_that_can_be_read(network, pipe):
    hub, _ = network.pair()
    reading, end = pipe
    assert hub.wait(0.0, reading) == []
    ringing = threading.Thread(target=end.write, args=(b"!",))
    ringing.start()
    assert hub.wait(DEADLINE_S, reading) == [reading]
    ringing.join()
    os.read(reading, 1)
    assert hub.wait(0.0, reading) == []


def test_waiting_names_the_other_descriptors_whose_other_side_is_gone(network, pipe):
    hub, _ = network.pair()
    reading, end = pipe
    end.close()
    assert hub.wait(DEADLINE_S, reading) == [reading]


def test_waiting_with_other_descriptors_ends_when_a_message_is_there(network, pipe):
    hub, node = network.pair()
    reading, end = pipe
    node.send([b"x"])
    assert hub.wait(DEADLINE_S, reading) == []
    end.write(b"!")
    assert hub.wait(DEADLINE_S, reading) == [reading]
    assert take(hub).parts == [b"x"]


def test_a_peer_that_left_comes_back_under_its_name(network):
    hub, node = network.pair()
    for _ in range(5):
        node.close()
        node = network.introduced(hub)
        hub.send([b"welcome back"], to=b"node")
        assert take(node) == (b"", [b"welcome back"])


def test_a_peer_takes_the_place_of_another_one_of_its_name(network):
    hub, old = network.pair()
    new = network.introduced(hub)
    hub.send([b"for the new one"], to=b"node")
    assert take(new).parts == [b"for the new one"]
    assert old.receive() is None


def test_messages_to_a_peer_that_is_replaced_do_not_reach_the_new_one(network):
    hub, old = network.pair()
    hub.send([b"for the old one"], to=b"node")
    old.close()
    new = network.introduced(hub)
    hub.send([b"for the new one"], to=b"node")
    assert take(new).parts == [b"for the new one"]


def test_who_listens_may_die_and_come_back(network):
    hub, node = network.pair()
    hub.close()
    hub = network.listen_again()
    number = count()

    def arrives():
        node.send([next(number).to_bytes(4, "big")])
        hub.wait(0.02)
        return hub.receive()

    assert until(arrives).sender == b"node"
    hub.send([b"here again"], to=b"node")
    assert take(node).parts == [b"here again"]


def test_closing_returns_at_once_with_messages_queued_and_twice(network):
    hub, node = network.pair()
    for _ in range(100):
        node.send([bytes(100_000)])
        hub.send([bytes(100_000)], to=b"node")
    started = time.monotonic()
    for link in (hub, node):
        link.close()
        link.close()
    assert time.monotonic() - started < DEADLINE_S / 2


@pytest.mark.parametrize("size", [0, 100, LARGE_PART_BYTES])
def test_messages_sent_together_arrive_one_by_one_in_order(network, size):
    hub, node = network.pair()
    messages = [[bytes([number]) * (size + 1)] for number in range(20)]
    node.send([b"before"])
    node.send_all(messages)
    hub.send_all(messages, to=b"node")
    hub.send_all([[b"several", b"parts"], [b"one"]], to=b"node")
    assert [take(hub) for _ in range(21)] == [(b"node", [b"before"])] + [
        (b"node", parts) for parts in messages
    ]
    assert [take(node).parts for _ in range(22)] == [*messages, [b"several", b"parts"], [b"one"]]


def test_nothing_sent_together_is_nothing(network):
    hub, node = network.pair()
    node.send_all([])
    hub.send_all([], to=b"node")
    node.send([b"next"])
    assert take(hub).parts == [b"next"]
    with pytest.raises(ValueError, match="one peer"):
        node.send_all([[b"x"]], to=b"somebody")
    with pytest.raises(ValueError, match="at least one part"):
        node.send_all([[]])
