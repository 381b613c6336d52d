"""Links over ZeroMQ: ROUTER where one listens, DEALER where one connects.

Sockets come from `zmq.Context.instance()`, so that nodes of one process meet at inproc addresses.
Queues have no limit: what is under way is bounded by the credit that nodes give each other.
It knows no messages.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import zmq

from sightline.errors import LinkError
from sightline.transport.addresses import Role, check_url
from sightline.transport.link import (
    LARGE_PART_BYTES,
    Received,
    as_bytes,
    check_identity,
    check_peer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.transport.link import Buffer

__all__ = ["Connection", "Listener", "connect", "listen", "wait_any"]

_RECONNECT_MS = 20
_RECONNECT_AT_MOST_MS = 1000
# A heartbeat waits behind the message that is being sent: 25 MB take 10 s at 20 Mbit/s.
_HEARTBEAT_MS = 2000
_HEARTBEAT_TIMEOUT_MS = 10_000

_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = _NOBLOCK | int(zmq.SNDMORE)
_READABLE = int(zmq.POLLIN)


class _ZmqLink:
    """What both sides have in common: a socket that is open from the start."""

    def __init__(self, kind: int) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.SNDHWM, 0)
        self._socket.set(zmq.RCVHWM, 0)
        self._recv: Callable[..., Any] = self._socket.recv
        self._send: Callable[..., Any] = self._socket.send

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message for a peer."""
        raise NotImplementedError

    def send_all(self, messages: Sequence[Sequence[Buffer]], *, to: bytes = b"") -> None:
        """Queue several messages for a peer; ZeroMQ itself sends small ones together."""
        for parts in messages:
            self.send(parts, to=to)

    def wait(self, timeout_s: float, *others: int) -> list[int]:
        """Block until a message can be received, one of `others` is ready, or time is up."""
        return wait_any((self,), timeout_s, *others)

    def close(self) -> None:
        """Leave at once; messages under way are dropped."""
        self._socket.close()

    def _send_parts(self, buffers: list[bytes | memoryview]) -> None:
        last = len(buffers) - 1
        for index, buffer in enumerate(buffers):
            flags = _NOBLOCK if index == last else _SNDMORE
            self._send(buffer, flags, copy=len(buffer) <= LARGE_PART_BYTES)

    def _receive_parts(self) -> list[bytes | memoryview]:
        """Take the parts of a message; `zmq.Again` if there is none."""
        # Asking a frame for `more` is cheaper than to ask the socket.
        frame = self._recv(_NOBLOCK, copy=False)
        parts: list[bytes | memoryview] = [frame.bytes]
        while frame.more:
            frame = self._recv(_NOBLOCK, copy=False)
            parts.append(frame.bytes if len(frame) <= LARGE_PART_BYTES else frame.buffer)
        return parts

    def _prepare(self, address: str, role: Role) -> None:
        """Set what depends on the address, for the bind or connect that follows."""
        check_url(address, role=role)
        is_tcp = address.startswith("tcp://")
        self._socket.set(zmq.IPV6, int(address.startswith("tcp://[")))
        self._socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS if is_tcp else 0)
        self._socket.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS if is_tcp else 0)


class Listener(_ZmqLink):
    """The side that others connect to; made by `listen()`.

    Attributes:
        addresses: Where it listens, with the ports that were chosen.
    """

    def __init__(self) -> None:
        super().__init__(zmq.ROUTER)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._socket.set(zmq.ROUTER_HANDOVER, 1)
        self.addresses: tuple[str, ...] = ()

    def bind(self, address: str) -> None:
        """Listen at one more address; see `listen()`."""
        self._prepare(address, Role.BIND)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            raise LinkError(f"cannot listen at {address}: {_reason(error)}") from error
        self.addresses += (self._socket.getsockopt_string(zmq.LAST_ENDPOINT),)

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message for a peer."""
        buffers = _buffers(parts)
        try:
            self._send(to, _SNDMORE)
        except zmq.ZMQError as error:
            raise LinkError(f"peer {to!r} is not connected") from error
        self._send_parts(buffers)

    def receive(self) -> Received | None:
        """Take the next message that has arrived; None if there is none."""
        try:
            sender = self._recv(_NOBLOCK)
        except zmq.Again:
            return None
        return Received(sender, self._receive_parts())


class Connection(_ZmqLink):
    """The side that connects, and does so again whenever needed; made by `connect()`."""

    def __init__(self, address: str, *, identity: bytes) -> None:
        super().__init__(zmq.DEALER)
        self._address = address
        self._socket.set(zmq.ROUTING_ID, identity)
        self._socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._socket.set(zmq.RECONNECT_IVL_MAX, _RECONNECT_AT_MOST_MS)

    def open(self) -> None:
        """Begin to connect."""
        self._prepare(self._address, Role.CONNECT)
        try:
            self._socket.connect(self._address)
        except zmq.ZMQError as error:
            raise LinkError(f"cannot connect to {self._address}: {_reason(error)}") from error

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message for the other side, which need not be there yet."""
        check_peer(to)
        buffers = _buffers(parts)
        try:
            self._send_parts(buffers)
        except zmq.Again:
            # Who listened at an inproc address has left; only there does ZeroMQ not connect again.
            self._socket.connect(self._address)
            self._send_parts(buffers)

    def receive(self) -> Received | None:
        """Take the next message that has arrived; None if there is none."""
        try:
            return Received(b"", self._receive_parts())
        except zmq.Again:
            return None


def listen(*addresses: str) -> Listener:
    """Listen at addresses: tcp://HOST:PORT, ipc://PATH, inproc://NAME; see `Address`.

    A socket file that is there already is replaced. Who may reach an ipc address is up to the
    folder it lies in.

    Raises:
        LinkError: An address makes no sense, or one cannot listen there.
    """
    link = Listener()
    try:
        for address in addresses:
            link.bind(address)
    except LinkError:
        link.close()
        raise
    return link


def connect(address: str, *, identity: bytes) -> Connection:
    """Connect to who listens at an address, now or later.

    Args:
        address: tcp://HOST:PORT, ipc://PATH or inproc://NAME.
        identity: What the other side calls this one; 1 to 255 bytes that do not begin with 0.

    Raises:
        LinkError: The address makes no sense.
        ValueError: The identity makes no sense.
    """
    check_identity(identity)
    link = Connection(address, identity=identity)
    try:
        link.open()
    except LinkError:
        link.close()
        raise
    return link


def wait_any(links: Sequence[_ZmqLink], timeout_s: float, *others: int) -> list[int]:
    """Wait as `Link.wait` does, but for messages of any of several links."""
    items: list[tuple[Any, int]] = [(link._socket, _READABLE) for link in links]  # noqa: SLF001
    items += [(other, _READABLE) for other in others]
    ready = zmq.zmq_poll(items, max(0, math.ceil(timeout_s * 1000)))
    return [source for source, _ in ready if isinstance(source, int)]


def _buffers(parts: Sequence[Buffer]) -> list[bytes | memoryview]:
    """Make sure that a message can be sent to its end: half of one would spoil the next."""
    if not parts:
        raise ValueError("a message must have at least one part")
    return [part if type(part) is bytes else as_bytes(part) for part in parts]


def _reason(error: zmq.ZMQError) -> str:
    return os.strerror(error.errno or 0)  # its own text repeats the address
