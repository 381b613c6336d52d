"""Links between processes of one Linux machine: local sockets that keep packets apart, and epoll.

Nobody works in the background: what the socket does not take at once is sent while the sender calls
`receive`, `wait` or `send`; there, too, links connect and others are let in. It knows no messages.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import LinkError, ProtocolError
from sightline.transport.link import Received, check_identity, check_peer
from sightline.transport.packets import (
    NO_PARTS,
    PACKET_BYTES,
    SINGLE,
    pack,
    pack_all,
    unpack,
    unpack_all,
)
from sightline.transport.unix_socket import check_path, open_listening_socket, open_socket, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.transport.link import Buffer
    from sightline.transport.packets import Packet

__all__ = ["UnixConnection", "UnixListener", "connect_unix", "listen_unix"]

_log = logging.getLogger(__name__)

_RETRY_S = 0.02

_IN, _OUT = select.EPOLLIN, select.EPOLLOUT
_ANCILLARY_BYTES = socket.CMSG_SPACE(4)  # one descriptor
_CLOEXEC = socket.MSG_CMSG_CLOEXEC

_NOT_NOW = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}
"""Errors of sending that end when the peer reads or others free memory."""
_NOT_THERE = {
    *(errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN),
    *(errno.EPIPE, errno.ECONNRESET),  # somebody listened, but left before the first message
}
"""Errors of connecting that end when somebody listens."""


class _Channel:
    """A connected socket, and what waits to be sent through it.

    Attributes:
        identity: Of the peer; None until it has said it.
        queue: Packets that are to be sent.
        wants_room: Epoll tells when the socket takes more packets.
    """

    __slots__ = ("fd", "identity", "queue", "recvmsg", "send", "sock", "wants_room")

    def __init__(
        self, sock: socket.socket, *, identity: bytes | None, queue: deque[Packet]
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.recvmsg = sock.recvmsg
        self.send = sock.send
        self.identity = identity
        self.queue = queue
        self.wants_room = False


class _UnixLink:
    """What both sides have in common: one epoll over their channels and the others of `wait()`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._channels: dict[int, _Channel] = {}
        self._inbox: deque[Received] = deque()
        self._others: tuple[int, ...] = ()

    def receive(self) -> Received | None:
        """Take the next message that has arrived; None if there is none."""
        if not self._inbox:
            self._poll(0.0)
        return self._inbox.popleft() if self._inbox else None

    def wait(self, timeout_s: float, *others: int) -> list[int]:
        """Block until a message can be received, one of `others` is ready, or time is up.

        Others are watched from call to call as long as they stay the same. Leave one out once
        before its number may stand for another file.
        """
        if others != self._others:
            self._watch(others)
        if self._inbox:
            return self._poll(0.0)
        left_s = timeout_s
        ends_s = time.monotonic() + timeout_s
        while True:
            ready = self._poll(max(0.0, left_s))
            if ready or self._inbox:
                return ready
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                return ready

    def close(self) -> None:
        """Leave at once; messages under way are dropped. May be called twice."""
        for channel in list(self._channels.values()):
            self._drop(channel)
        self._epoll.close()

    def _watch(self, others: tuple[int, ...]) -> None:
        for other in set(self._others).difference(others):
            with suppress(OSError):  # it is closed
                self._epoll.unregister(other)
        kept = set(self._others).intersection(others)
        self._others = others
        for other in set(others) - kept:
            self._epoll.register(other, _IN)

    def _poll(self, timeout_s: float) -> list[int]:
        """Wait for something to happen, and see to it; return those of `others` that are ready.

        Of every peer that has sent something, one message is taken, so that all have their turn;
        and none as long as there are messages that nobody has received.
        """
        ready = []
        takes = not self._inbox
        for fd, events in self._epoll.poll(timeout_s):
            channel = self._channels.get(fd)
            if channel is None:
                if fd in self._others:
                    ready.append(fd)
                else:
                    self._let_in()
            elif (not events & _OUT or self._flush(channel)) and events & ~_OUT and takes:
                self._take(channel)
        return ready

    def _take(self, channel: _Channel) -> bool:
        """Take a packet that has arrived; return whether there may be more."""
        try:
            packet, ancillary, _, _ = channel.recvmsg(PACKET_BYTES, _ANCILLARY_BYTES, _CLOEXEC)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return self._take(channel)  # it is told once; then comes what the peer sent last
        if not packet:
            self._drop(channel)
            return False
        try:
            if messages := unpack_all(packet):
                self._take_all(channel, messages)
                return True
            parts = unpack(packet, ancillary)
        except ProtocolError as error:
            _log.warning("peer dropped identity=%r error=%s", channel.identity, error)
            self._drop(channel)
            return False
        if parts and channel.identity is not None:
            self._inbox.append(Received(channel.identity, parts))
        else:
            self._introduce(channel, parts)
        return True

    def _take_all(self, channel: _Channel, messages: list[bytes | memoryview]) -> None:
        """Take several messages of a peer that is known.

        Raises:
            ProtocolError: It is not known yet.
        """
        identity = channel.identity
        if identity is None:
            raise ProtocolError("several messages came before the identity")
        self._inbox.extend([Received(identity, [message]) for message in messages])

    def _flush(self, channel: _Channel) -> bool:
        """Send what is queued, as far as the socket takes it; return whether the peer is there."""
        queue = channel.queue
        try:
            while queue:
                packet = queue[0]
                if isinstance(packet, bytes):
                    channel.send(packet)
                else:
                    packet.send(channel.sock)
                queue.popleft()
        except OSError as error:
            if error.errno not in _NOT_NOW:
                while self._take(channel):  # what the peer sent last
                    pass
                self._drop(channel)
                return False
        if channel.wants_room != bool(queue):
            channel.wants_room = bool(queue)
            self._epoll.modify(channel.fd, _IN | _OUT if queue else _IN)
        return True

    def _add(self, channel: _Channel) -> None:
        self._channels[channel.fd] = channel
        self._epoll.register(channel.fd, _IN)

    def _drop(self, channel: _Channel) -> None:
        """Close a channel, unless it is closed."""
        if self._channels.get(channel.fd) is channel:
            del self._channels[channel.fd]
            self._epoll.unregister(channel.fd)
            channel.sock.close()

    def _let_in(self) -> None:
        """Accept those who want to connect, if this is the side that listens."""

    def _introduce(self, channel: _Channel, parts: list[bytes | memoryview]) -> None:
        """Take in what a peer says of itself or of this link."""
        raise NotImplementedError


class UnixListener(_UnixLink):
    """The side that others connect to; made by `listen_unix()`."""

    def __init__(self, sock: socket.socket, path: str) -> None:
        super().__init__()
        self._sock = sock
        self._path: str | None = path
        self._peers: dict[bytes, _Channel] = {}
        self._epoll.register(sock, _IN)

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message for a peer."""
        self._queue_packets([pack(parts)], to)

    def send_all(self, messages: Sequence[Sequence[Buffer]], *, to: bytes = b"") -> None:
        """Queue several messages for a peer, in as few packets as they fit into."""
        self._queue_packets(pack_all(messages), to)

    def _queue_packets(self, packets: list[Packet], to: bytes) -> None:
        channel = self._peers.get(to)
        if channel is not None:
            channel.queue.extend(packets)
            if self._flush(channel):
                return
        raise LinkError(f"peer {to!r} is not connected")

    def close(self) -> None:
        """Leave at once and remove the socket; messages under way are dropped."""
        if self._path is not None:
            Path(self._path).unlink(missing_ok=True)
            self._path = None
            self._sock.close()
            super().close()

    def _let_in(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkError(f"nobody can connect to {self._path}: {error.strerror}") from error
            prepare(sock)
            channel = _Channel(sock, identity=None, queue=deque())
            self._add(channel)
            self._take(channel)

    def _introduce(self, channel: _Channel, parts: list[bytes | memoryview]) -> None:
        """Take in the identity of a peer, which is its first message."""
        identity = bytes(parts[0]) if len(parts) == 1 else b""
        try:
            check_identity(identity)
        except ValueError as error:
            _log.warning("stranger dropped error=%s", error)
            self._drop(channel)
            return
        old = self._peers.get(identity)
        channel.identity = identity
        self._peers[identity] = channel
        if old is not None:
            with suppress(OSError):  # it is gone, or does not read
                old.send(NO_PARTS)
            self._drop(old)
        self._take(channel)

    def _drop(self, channel: _Channel) -> None:
        super()._drop(channel)
        if channel.identity is not None and self._peers.get(channel.identity) is channel:
            del self._peers[channel.identity]


class UnixConnection(_UnixLink):
    """The side that connects, and does so again whenever needed; made by `connect_unix()`."""

    def __init__(self, path: str, *, identity: bytes) -> None:
        super().__init__()
        self._path = path
        self._identity = identity
        self._channel: _Channel | None = None
        self._queue: deque[Packet] = deque()
        self._next_try_s = 0.0
        self._farewell = ""

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message for the other side, which need not be there yet."""
        check_peer(to)
        self._queue_packets([pack(parts)])

    def send_all(self, messages: Sequence[Sequence[Buffer]], *, to: bytes = b"") -> None:
        """Queue several messages for the other side, in as few packets as they fit into."""
        check_peer(to)
        self._queue_packets(pack_all(messages))

    def _queue_packets(self, packets: list[Packet]) -> None:
        if self._farewell:
            raise LinkError(self._farewell)
        self._queue.extend(packets)
        if self._channel is not None:
            self._flush(self._channel)
        else:
            self.connect()

    def connect(self) -> None:
        """Try to connect, unless that was tried a moment ago.

        Raises:
            LinkError: It will never be possible.
        """
        now_s = time.monotonic()
        if now_s < self._next_try_s:
            return
        self._next_try_s = now_s + _RETRY_S
        sock = open_socket()
        try:
            sock.connect(self._path)
            sock.send(SINGLE + self._identity)
        except OSError as error:
            sock.close()
            if error.errno not in _NOT_THERE:
                raise LinkError(f"cannot connect to {self._path}: {error.strerror}") from error
            return
        self._channel = _Channel(sock, identity=b"", queue=self._queue)
        self._add(self._channel)
        self._flush(self._channel)

    def close(self) -> None:
        """Leave at once; messages under way are dropped. May be called twice."""
        super().close()
        self._end("the link is closed")

    def _poll(self, timeout_s: float) -> list[int]:
        if self._channel is None and not self._farewell:
            self.connect()
            if self._channel is None:
                timeout_s = min(timeout_s, _RETRY_S)
        return super()._poll(timeout_s)

    def _introduce(self, *_: object) -> None:
        """Hear that another node has taken the name; the end of the connection comes next."""
        self._end(f"another node has connected to {self._path} as {self._identity!r}")

    def _drop(self, channel: _Channel) -> None:
        super()._drop(channel)
        self._channel = None

    def _end(self, farewell: str) -> None:
        self._farewell = farewell
        self._queue.clear()


def listen_unix(path: str) -> UnixListener:
    """Listen at a path; a socket that nobody listens at any more is replaced.

    Who may connect is up to the folder it lies in.

    Raises:
        LinkError: The path is too long, or one cannot listen there.
    """
    return UnixListener(open_listening_socket(path), path)


def connect_unix(path: str, *, identity: bytes) -> UnixConnection:
    """Connect to who listens at a path, now or later.

    Args:
        path: Of the socket.
        identity: What the other side calls this one; 1 to 255 bytes that do not begin with 0.

    Raises:
        LinkError: The path is too long, or one cannot connect there.
        ValueError: The identity makes no sense.
    """
    check_identity(identity)
    check_path(path)
    link = UnixConnection(path, identity=identity)
    try:
        link.connect()
    except LinkError:
        link.close()
        raise
    return link
