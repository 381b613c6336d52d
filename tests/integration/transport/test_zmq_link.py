"""ZeroMQ links between processes, beside strangers, and for long."""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sightline.errors import LinkError
from sightline.transport.zmq_link import connect, listen

DEADLINE_S = 30.0
ECHO = """
import sys
from sightline.transport.zmq_link import connect
link = connect(sys.argv[1], identity=b"echo")
link.send([b"hello"])
while True:
    link.wait(60)
    while (received := link.receive()) is not None:
        link.send(received.parts)
"""


@pytest.fixture(params=["tcp", "ipc"])
def hub(request, tmp_path):
    address = "tcp://127.0.0.1:0" if request.param == "tcp" else f"ipc://{tmp_path}/hub"
    with closing(listen(address)) as link:
        yield link


@pytest.fixture
def start_echo(hub):
    """Start processes that send everything back."""
    processes = []

    def start():
        processes.append(subprocess.Popen([sys.executable, "-c", ECHO, hub.addresses[0]]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def take(link):
    deadline = time.monotonic() + DEADLINE_S
    while (received := link.receive()) is None:
        assert time.monotonic() < deadline
        link.wait(1.0)
    return received


def wait_until_gone(hub, peer):
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            hub.send([b"still there?"], to=peer)
        except LinkError:
            return
        hub.wait(0.01)
        hub.receive()
    pytest.fail("a dead peer is still connected")


def test_a_killed_process_is_an_unknown_peer_and_its_successor_a_known_one(hub, start_echo):
    process = start_echo()
    assert take(hub) == (b"echo", [b"hello"])
    process.kill()
    process.wait()
    wait_until_gone(hub, b"echo")
    start_echo()
    while take(hub).parts != [b"hello"]:  # echoes of the first one may still be there
        pass
    hub.send([b"welcome", bytes(1_000_000)], to=b"echo")
    assert take(hub) == (b"echo", [b"welcome", bytes(1_000_000)])


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 100_000, b"\xff\0\0\0\0\0\0\0\1\x7f\3"],
    ids=["nothing", "HTTP", "zeros", "ones", "half a greeting"],
)
def test_strangers_at_the_port_disturb_nobody(rubbish):
    with closing(listen("tcp://127.0.0.1:0")) as hub:
        address = hub.addresses[0]
        with (
            closing(connect(address, identity=b"node")) as node,
            socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as stranger,
        ):
            node.send([b"before"])
            assert take(hub).parts == [b"before"]
            stranger.sendall(rubbish)
            node.send([b"after"])
            assert take(hub) == (b"node", [b"after"])
            hub.send([b"answer"], to=b"node")
            assert take(node).parts == [b"answer"]
            assert hub.receive() is None


def test_a_port_that_is_taken_is_an_error_that_names_it():
    with (
        closing(listen("tcp://127.0.0.1:0")) as hub,
        pytest.raises(
            LinkError, match=f"^cannot listen at {hub.addresses[0]}: Address already in use$"
        ),
    ):
        listen(*hub.addresses)


@pytest.mark.parametrize(
    "address", ["tcp://no-such-interface:5557", "ipc:///no/such/folder/hub", "tcp://*"]
)
def test_an_address_that_cannot_be_listened_at_is_an_error(address, tmp_path):
    with pytest.raises(LinkError, match=re.escape(address)):
        listen(f"ipc://{tmp_path}/first", address)


def test_a_link_may_listen_at_several_addresses(tmp_path):
    with closing(listen("tcp://127.0.0.1:*", f"ipc://{tmp_path}/hub", "inproc://several")) as hub:
        assert len(set(hub.addresses)) == 3
        for number, address in enumerate(hub.addresses):
            identity = b"node %d" % number
            with closing(connect(address, identity=identity)) as node:
                node.send([b"x"])
                assert take(hub) == (identity, [b"x"])


def test_addresses_may_be_of_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with (
        closing(listen("tcp://[::1]:0")) as hub,
        closing(connect(hub.addresses[0], identity=b"node")) as node,
    ):
        node.send([b"x"])
        assert take(hub).parts == [b"x"]


def test_links_that_come_and_go_leave_no_file_descriptors(hub):
    def come_and_go(times):
        for _ in range(times):
            with closing(connect(hub.addresses[0], identity=b"node")) as node:
                node.send([b"x", bytes(100_000)])
                take(hub)

    def count():
        return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))

    come_and_go(5)
    before = count()
    come_and_go(100)
    deadline = time.monotonic() + DEADLINE_S
    while count() > before + 2:  # ZeroMQ closes in the background
        assert time.monotonic() < deadline
        hub.wait(0.01)
        hub.receive()
