import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import LinkError, ProtocolError
from sightline.transport.link import LARGE_PART_BYTES
from sightline.transport.packets import (
    NO_PARTS,
    PACKET_BYTES,
    Memory,
    pack,
    pack_all,
    unpack,
    unpack_all,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only for Linux")

SIZES = st.one_of(
    st.integers(0, 300),
    st.integers(PACKET_BYTES - 20, PACKET_BYTES + 20),
    st.just(3 * LARGE_PART_BYTES),
)


def carry(packet):
    """Send a packet through a pair of sockets, and read it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        if isinstance(packet, Memory):
            packet.send(ours)
        else:
            ours.send(packet)
        data, ancillary, _, _ = theirs.recvmsg(PACKET_BYTES, socket.CMSG_SPACE(4))
        return unpack(data, ancillary)


@given(st.lists(SIZES, min_size=1, max_size=5))
def test_any_message_comes_out_as_it_went_in(sizes):
    parts = [bytes([97 + number]) * size for number, size in enumerate(sizes)]

    carried = carry(pack(parts))

    assert carried == parts
    for number, part in enumerate(carried):
        is_view = number > 0 and len(part) > LARGE_PART_BYTES
        assert type(part) is (memoryview if is_view else bytes)


@pytest.mark.parametrize("size", [PACKET_BYTES - 1, PACKET_BYTES])
def test_a_packet_is_never_larger_than_a_packet_may_be(size):
    assert isinstance(pack([bytes(size)]), Memory if size == PACKET_BYTES else bytes)


def test_a_sign_is_no_message():
    assert carry(NO_PARTS) == []
    with pytest.raises(ValueError, match="at least one part"):
        pack([])


def test_small_parts_are_copied_so_that_their_owner_may_change_them():
    part = bytearray(b"before")
    packet = pack([part, part])
    part[:] = b"after!"
    assert carry(packet) == [b"before", b"before"]


@pytest.mark.parametrize(
    "packet",
    [
        b"\3",
        b"\xff rubbish",
        b"\1",
        b"\1" + struct.pack("<Q", 2**60),
        b"\1" + struct.pack("<2Q", 1, 2**60) + b"x",
        NO_PARTS + b"x",
    ],
    ids=["kind 3", "kind 255", "no table", "no lengths", "too short", "too long"],
)
def test_a_malformed_packet_is_refused(packet):
    with pytest.raises(ProtocolError):
        unpack(packet, [])


def test_a_descriptor_that_got_lost_is_an_error_that_says_what_to_do():
    with pytest.raises(LinkError, match="ulimit -n"):
        unpack(b"\2", [])


@pytest.mark.parametrize("size", [0, 1, 600, PACKET_BYTES // 64])
def test_many_messages_make_packets_that_fit(size):
    messages = [[bytes([number % 256]) * size] for number in range(1000)]
    packets = pack_all(messages)
    assert all(len(packet) <= PACKET_BYTES for packet in packets)
    found = [unpack_all(packet) or unpack(packet, []) for packet in packets]
    assert [part for parts in found for part in parts] == [part for (part,) in messages]
