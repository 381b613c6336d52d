"""Messages as packets of a local socket; those too large for a packet lie in memory of their own.

A packet is one of

    0  part                                  a message of one part
    1  table  part  part …                   several parts
    2  padding                               with a descriptor: of memory that holds table and parts
    3  table  part  part …                   several messages of one part

where a table is a count and as many lengths in bytes, each u64, little-endian. It does not know who
sends what to whom.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, TypeAlias

from sightline.errors import LinkError, ProtocolError
from sightline.transport.link import LARGE_PART_BYTES, as_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.transport.link import Buffer

__all__ = [
    "NO_PARTS",
    "PACKET_BYTES",
    "SINGLE",
    "Memory",
    "Packet",
    "pack",
    "pack_all",
    "unpack",
    "unpack_all",
]

PACKET_BYTES = 64 * 1024
"""The largest packet. The kernel takes the memory of larger ones in one piece, which may fail."""

_SEVERAL = b"\1"
_MESSAGES = b"\3"
_TOGETHER = 64
"""The most messages in a packet: a peer that sends many still takes turns with the others."""
# The kernel limits the descriptors under way of a user; the padding fills the queue before that.
_MEMORY = b"\2" + bytes(PACKET_BYTES // 2)
_COUNT = struct.Struct("<Q")

SINGLE = b"\0"
"""What the packet of a small message of one part begins with."""

NO_PARTS = _SEVERAL + _COUNT.pack(0)
"""A packet that no message makes; links use it as a sign."""


class Memory:
    """A message in memory of its own, which whoever gets its descriptor can map.

    The memory is freed when this object and all mappings are gone.

    Raises:
        LinkError: There is no memory, or the process has too many files open.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, buffers: Sequence[bytes | memoryview]) -> None:
        self._descriptor = -1
        try:
            self._descriptor = os.memfd_create("sightline-message")
            with open(self._descriptor, "wb", closefd=False) as file:
                file.writelines(buffers)
        except OSError as error:
            size = sum(map(len, buffers))
            raise LinkError(f"no memory for a message of {size} bytes: {error.strerror}") from error

    def send(self, sock: socket.socket) -> None:
        """Send the descriptor through a local socket.

        Raises:
            OSError: It cannot be sent, or not now.
        """
        socket.send_fds(sock, [_MEMORY], [self._descriptor])

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


Packet: TypeAlias = bytes | Memory


def pack(parts: Sequence[Buffer]) -> Packet:
    r"""Make a packet of a message; the parts are copied.

    Raises:
        LinkError: The message is large, and there is no memory for it.
        TypeError: A part is no C-contiguous buffer.
        ValueError: There are no parts.

    >>> pack([b"Hello"])
    b'\x00Hello'
    """
    if len(parts) == 1 and type(part := parts[0]) is bytes and len(part) < PACKET_BYTES:
        return SINGLE + part
    if not parts:
        raise ValueError("a message must have at least one part")
    buffers = [part if type(part) is bytes else as_bytes(part) for part in parts]
    sizes = [len(buffer) for buffer in buffers]
    table = struct.pack(f"<{len(sizes) + 1}Q", len(sizes), *sizes)
    if 1 + len(table) + sum(sizes) > PACKET_BYTES:
        return Memory([table, *buffers])
    return b"".join((_SEVERAL, table, *buffers))


def pack_all(messages: Sequence[Sequence[Buffer]]) -> list[Packet]:
    """Make as few packets of several messages as their order allows; the parts are copied.

    Raises:
        LinkError: A message is large, and there is no memory for it.
        TypeError: A part is no C-contiguous buffer.
        ValueError: A message has no parts.
    """
    packets: list[Packet] = []
    for start in range(0, len(messages), _TOGETHER):
        packets += _pack_some(messages[start : start + _TOGETHER])
    return packets


def _pack_some(messages: Sequence[Sequence[Buffer]]) -> list[Packet]:
    parts = [parts[0] for parts in messages if len(parts) == 1 and type(parts[0]) is bytes]
    sizes = [len(part) for part in parts]
    if len(parts) < 2 or len(parts) != len(messages) or sum(sizes) > PACKET_BYTES // 2:
        return [pack(parts) for parts in messages]
    table = struct.pack(f"<{len(sizes) + 1}Q", len(sizes), *sizes)
    return [b"".join((_MESSAGES, table, *parts))]


def unpack_all(packet: bytes) -> list[bytes | memoryview]:
    """Read the messages of one part each that are in a packet; none if it is of another kind.

    Raises:
        ProtocolError: The packet is malformed.
    """
    if packet[0] != _MESSAGES[0]:
        return []
    try:
        return _split(packet, 1)
    except struct.error as error:
        raise ProtocolError(f"a malformed table of messages came: {error}") from error


def unpack(packet: bytes, ancillary: Sequence[tuple[int, int, bytes]]) -> list[bytes | memoryview]:
    """Read the message of a packet.

    Args:
        packet: At least one byte.
        ancillary: What came with it, as `recvmsg` returns it; a descriptor is closed.

    Returns:
        The parts, none if the packet is `NO_PARTS`. The first and those of up to
        `LARGE_PART_BYTES` are bytes, others are views of memory that live as long as they are used.

    Raises:
        LinkError: There is no room in this process for the message.
        ProtocolError: The packet is malformed.
    """
    kind = packet[0]
    if kind == 0:
        return [packet[1:]]
    try:
        if kind == 1:
            return _split(packet, 1)
        if kind == 2:
            return _split(_map(ancillary), 0)
    except struct.error as error:
        raise ProtocolError(f"a malformed table of parts came: {error}") from error
    raise ProtocolError(f"a packet of the unknown kind {kind} came")


def _split(data: bytes | memoryview, at: int) -> list[bytes | memoryview]:
    (count,) = _COUNT.unpack_from(data, at)
    sizes: tuple[int, ...] = struct.unpack_from(f"<{count}Q", data, at + _COUNT.size)
    at += _COUNT.size * (count + 1)
    if at + sum(sizes) != len(data):
        raise ProtocolError(f"parts of {sum(sizes)} bytes came in {len(data) - at}")
    parts: list[bytes | memoryview] = []
    for size in sizes:
        part = data[at : at + size]
        parts.append(part if parts and size > LARGE_PART_BYTES else bytes(part))
        at += size
    return parts


def _map(ancillary: Sequence[tuple[int, int, bytes]]) -> memoryview:
    """Map the memory whose descriptor came."""
    if not ancillary:  # the kernel closes a descriptor for which there is no free number
        raise LinkError(
            "a large message was lost: too many files are open; raise their limit (ulimit -n)"
        )
    descriptor = int.from_bytes(ancillary[0][2], sys.byteorder)
    try:
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return memoryview(mmap.mmap(descriptor, 0, flags=flags, prot=mmap.PROT_READ))
    except OSError as error:
        raise LinkError(f"a large message was lost: {error.strerror}") from error
    except ValueError as error:
        raise ProtocolError(f"memory without a message came: {error}") from error
    finally:
        os.close(descriptor)
