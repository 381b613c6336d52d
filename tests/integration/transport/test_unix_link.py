"""Links over local sockets: large messages, deaf, loud and dying peers, and for long."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import LinkError
from sightline.transport.local_link import connect_local, listen_local
from sightline.transport.unix_link import connect_unix, listen_unix

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only for Linux")

DEADLINE_S = 30.0
FLOOD = """
import sys
from sightline.transport.unix_link import connect_unix
link = connect_unix(sys.argv[1], identity=b"flood")
for number in range(50_000):
    link.send([number.to_bytes(8, "big"), bytes(1000)])
while True:
    link.wait(60)
"""
HUB = """
import sys
from sightline.transport.unix_link import listen_unix
link = listen_unix(sys.argv[1])
print("listening", flush=True)
link.wait(60)
print(link.receive().parts[0].decode(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "hub")


@pytest.fixture
def hub(path):
    with closing(listen_unix(path)) as link:
        yield link


@pytest.fixture
def introduce(hub, path):
    """Connect nodes that the hub knows."""
    with ExitStack() as stack:

        def introduce(identity):
            node = stack.enter_context(closing(connect_unix(path, identity=identity)))
            node.send([b"hello"])
            assert take(hub) == (identity, [b"hello"])
            return node

        yield introduce


@pytest.fixture
def start(path):
    """Start processes that run a program with the path as argument."""
    with ExitStack() as stack:

        def start(program):
            process = subprocess.Popen(
                [sys.executable, "-c", program, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def take(link, *senders):
    """Receive the next message, which is or will be there once the senders go on."""
    deadline = time.monotonic() + DEADLINE_S
    while (received := link.receive()) is None:
        assert time.monotonic() < deadline
        for sender in senders:
            sender.wait(0.0)
        link.wait(1.0)
    return received


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_large_message_of_many_parts_arrives_whole(hub, introduce):
    node = introduce(b"node")
    image = np.random.default_rng(5).integers(0, 256, 25_000_000, np.uint8)
    parts = [b"header", image, *(b"%d" % number * 1000 for number in range(5000))]

    node.send(parts)
    hub.send(parts, to=b"node")

    for received in (take(hub).parts, take(node).parts):
        assert np.array_equal(np.frombuffer(received[1], np.uint8), image)
        assert [received[0], *received[2:]] == [parts[0], *parts[2:]]


def test_a_large_message_that_nobody_uses_any_more_is_freed(hub, introduce):
    node = introduce(b"node")
    before = descriptors()
    for _ in range(20):
        node.send([b"x", bytes(1_000_000)])
        received = take(hub)
        assert descriptors() <= before + 2  # of this one and of the one before
        del received
    assert descriptors() == before


def test_ten_thousand_messages_wait_for_a_peer_that_does_not_read(hub, introduce):
    deaf, other = introduce(b"deaf"), introduce(b"other")
    large = bytes(100_000)
    for number in range(10_000):
        parts = [number.to_bytes(2, "big"), b"x" * 500, *([large] if number % 200 == 0 else [])]
        hub.send(parts, to=b"deaf")
    hub.send([b"meanwhile"], to=b"other")
    other.send([b"answer"])
    assert take(other).parts == [b"meanwhile"]
    assert take(hub) == (b"other", [b"answer"])
    assert hub.receive() is None

    arrived = [take(deaf, hub).parts for _ in range(10_000)]

    assert [int.from_bytes(parts[0], "big") for parts in arrived] == list(range(10_000))
    assert [number for number, parts in enumerate(arrived) if len(parts) == 3] == list(
        range(0, 10_000, 200)
    )
    assert deaf.receive() is None


def test_a_peer_that_dies_with_messages_queued_is_forgotten_with_them(hub, introduce):
    deaf = introduce(b"deaf")
    before = descriptors()
    for _ in range(200):
        hub.send([bytes(100_000)], to=b"deaf")
    deaf.close()
    with pytest.raises(LinkError, match="b'deaf' is not connected"):
        hub.send([b"there?"], to=b"deaf")
    assert hub.receive() is None
    assert descriptors() <= before


def test_a_peer_that_floods_does_not_keep_others_waiting(hub, introduce):
    flood, other = introduce(b"flood"), introduce(b"other")
    for _ in range(1000):
        flood.send([b"x"])
    other.send([b"first"])
    other.send([b"second"])

    soon = [take(hub) for _ in range(6)]
    assert [parts for sender, parts in soon if sender == b"other"] == [[b"first"], [b"second"]]


def test_what_a_killed_peer_sent_before_arrives_whole_and_the_name_is_free(hub, introduce, start):
    other = introduce(b"other")
    flood = start(FLOOD)
    for number in range(1000):
        assert take(hub).parts[0] == number.to_bytes(8, "big")
        hub.send([b"that nobody reads"], to=b"flood")
    flood.kill()
    flood.wait()
    numbers = []
    while (received := hub.receive()) is not None:
        numbers.append(int.from_bytes(received.parts[0], "big"))
        assert len(received.parts[1]) == 1000

    assert numbers == list(range(1000, 1000 + len(numbers)))
    assert len(numbers) > 0
    with pytest.raises(LinkError):
        hub.send([b"there?"], to=b"flood")
    other.send([b"here"])
    assert take(hub) == (b"other", [b"here"])
    introduce(b"flood")


def test_what_a_peer_sent_last_arrives_though_sending_finds_it_gone(hub, introduce):
    node = introduce(b"node")
    hub.send([b"unread"], to=b"node")
    node.send([b"last words"])
    node.close()

    with pytest.raises(LinkError):
        hub.send([b"there?"], to=b"node")

    assert take(hub) == (b"node", [b"last words"])


def test_a_killed_listener_is_replaced_and_messages_not_yet_sent_reach_the_new_one(path, start):
    first = start(HUB)
    with closing(connect_unix(path, identity=b"node")) as node:
        node.send([b"to the first"])
        assert first.stdout.readline() == "listening\n"
        node.wait(0.1)  # long enough to connect
        assert first.stdout.readline() == "to the first\n"
        first.kill()
        first.wait()
        node.wait(0.0)
        node.send([b"to the second"])
        with closing(listen_unix(path)) as second:
            assert take(second, node) == (b"node", [b"to the second"])


def test_connecting_two_hundred_times_leaves_no_descriptors(hub, path):
    def come_and_go(times):
        for _ in range(times):
            with closing(connect_unix(path, identity=b"node")) as node:
                node.send([b"x", bytes(100_000)])
                assert take(hub).sender == b"node"
        assert hub.receive() is None

    come_and_go(1)
    before = descriptors()
    come_and_go(200)
    assert descriptors() == before


def test_two_hundred_peers_are_heard_and_answered(hub, introduce):
    nodes = {b"node %d" % number: introduce(b"node %d" % number) for number in range(200)}
    for name, node in nodes.items():
        node.send([name])
    for _ in nodes:
        sender, parts = take(hub)
        hub.send(parts, to=sender)
    assert all(take(node).parts == [name] for name, node in nodes.items())


def test_a_node_whose_name_another_one_takes_is_told_and_stays_away(hub, introduce):
    old = introduce(b"node")
    new = introduce(b"node")
    old.wait(0.1)
    with pytest.raises(LinkError, match="another node has connected"):
        old.send([b"x"])
    hub.wait(0.1)
    hub.send([b"x"], to=b"node")
    assert take(new).parts == [b"x"]


@pytest.mark.parametrize("rubbish", [b"\0", b"\0\0zero", b"\xff", b"\1\1", b"\1" + bytes(8)])
def test_strangers_disturb_nobody(hub, introduce, path, rubbish):
    node = introduce(b"node")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(path)
        stranger.send(rubbish)
        node.send([b"x"])
        assert take(hub).parts == [b"x"]
        assert hub.receive() is None
        assert stranger.recv(1) == b""


def test_other_descriptors_are_watched_as_long_as_they_are_named(hub):
    reading, writing = os.pipe()
    again, end = os.pipe()
    os.write(writing, b"!")
    os.write(end, b"!")
    assert hub.wait(0.0, reading) == [reading]
    assert hub.wait(0.0, reading, again) == [reading, again]
    assert hub.wait(0.0, again) == [again]
    assert hub.wait(0.0) == []
    for descriptor in (reading, writing, again, end):
        os.close(descriptor)
    assert hub.wait(0.0) == []


def test_a_socket_of_somebody_else_is_left_alone(hub, path, tmp_path):
    with pytest.raises(LinkError, match=f"cannot listen at {path}: Address already in use"):
        listen_unix(path)
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(LinkError, match=r"cannot listen at .*film.mp4"):
        listen_unix(str(tmp_path / "film.mp4"))
    assert (tmp_path / "film.mp4").read_bytes() == b"film"


def test_closing_removes_the_socket(path):
    listen_unix(path).close()
    assert not Path(path).exists()


def test_a_path_that_cannot_be_a_socket_is_refused(tmp_path):
    for function in (listen_unix, lambda path: connect_unix(path, identity=b"node")):
        with pytest.raises(LinkError, match="has 112 bytes, but the path of a socket has at most"):
            function("/tmp/" + "x" * 107)
    with pytest.raises(LinkError, match="No such file or directory"):
        listen_unix(str(tmp_path / "no such folder" / "hub"))
    (tmp_path / "file").touch()
    with pytest.raises(LinkError, match="Not a directory"):
        connect_unix(str(tmp_path / "file" / "hub"), identity=b"node")


def test_the_local_link_carries_messages_between_nodes_of_a_machine(path):
    with closing(listen_local(path)) as hub, closing(connect_local(path, identity=b"n")) as node:
        node.send([b"x"])
        assert take(hub, node) == (b"n", [b"x"])
