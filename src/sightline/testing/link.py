"""Links between nodes of one process, in memory."""

from __future__ import annotations

import math
import os
import select
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from sightline.errors import LinkError
from sightline.transport.link import (
    LARGE_PART_BYTES,
    Received,
    as_bytes,
    check_identity,
    check_peer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.transport.link import Buffer

__all__ = ["MemoryLink", "MemoryNetwork"]


class MemoryNetwork:
    """A network of its own, with any addresses one likes; nodes may be threads.

    >>> network = MemoryNetwork()
    >>> hub = network.listen("hub")
    >>> node = network.connect("hub", identity=b"node 1")
    >>> node.send([b"hello"])
    >>> hub.receive()
    Received(sender=b'node 1', parts=[b'hello'])
    >>> node.close(), hub.close()
    (None, None)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._listening: dict[str, MemoryLink] = {}
        self._connected: dict[str, dict[bytes, MemoryLink]] = {}
        self._waiting: dict[str, list[Received]] = {}

    def listen(self, *addresses: str) -> MemoryLink:
        """Listen at addresses.

        Raises:
            LinkError: Somebody listens at one of them.
        """
        with self._lock:
            for address in addresses:
                if address in self._listening:
                    raise LinkError(f"cannot listen at {address}: Address already in use")
            link = MemoryLink(self, addresses=addresses, identity=b"")
            for address in addresses:
                self._listening[address] = link
                for message in self._waiting.pop(address, ()):
                    link.deliver(message)
            return link

    def connect(self, address: str, *, identity: bytes) -> MemoryLink:
        """Connect to who listens at an address, now or later.

        Raises:
            ValueError: The identity makes no sense.
        """
        check_identity(identity)
        with self._lock:
            link = MemoryLink(self, addresses=(address,), identity=identity)
            self._connected.setdefault(address, {})[identity] = link
            return link

    def carry(self, link: MemoryLink, message: list[bytes | memoryview], *, to: bytes) -> None:
        """Bring a message to a peer of the link."""
        with self._lock:
            if not link.identity:
                self._peer(link, to).deliver(Received(b"", message))
                return
            (address,) = link.addresses
            if self._connected[address].get(link.identity) is not link:
                return  # another one has taken its place
            received = Received(link.identity, message)
            if address in self._listening:
                self._listening[address].deliver(received)
            else:
                self._waiting.setdefault(address, []).append(received)

    def leave(self, link: MemoryLink) -> None:
        """Forget a link."""
        with self._lock:
            for address in link.addresses:
                if self._listening.get(address) is link:
                    del self._listening[address]
                peers = self._connected.get(address, {})
                if peers.get(link.identity) is link:
                    del peers[link.identity]

    def _peer(self, link: MemoryLink, identity: bytes) -> MemoryLink:
        for address in link.addresses:
            if peer := self._connected.get(address, {}).get(identity):
                return peer
        raise LinkError(f"peer {identity!r} is not connected")


class MemoryLink:
    """A `Link` of a `MemoryNetwork`; made by `listen()` and `connect()` there.

    Attributes:
        addresses: Where it listens, or the one that it is connected to.
        identity: What the other side calls it; empty for who listens.
    """

    def __init__(
        self, network: MemoryNetwork, *, addresses: tuple[str, ...], identity: bytes
    ) -> None:
        self.addresses = addresses
        self.identity = identity
        self._network = network
        self._inbox: deque[Received] = deque()
        self._bell, self._rope = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._rope, False)
        self._is_closed = False

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Bring a copy of the parts to the peer."""
        if self._is_closed:
            raise LinkError("the link is closed")
        if not parts:
            raise ValueError("a message must have at least one part")
        if self.identity:
            check_peer(to)
        first, *others = (bytes(as_bytes(part)) for part in parts)
        message: list[bytes | memoryview] = [first, *(_as_received(part) for part in others)]
        self._network.carry(self, message, to=to)

    def send_all(self, messages: Sequence[Sequence[Buffer]], *, to: bytes = b"") -> None:
        """Bring copies of several messages to the peer."""
        for parts in messages:
            self.send(parts, to=to)

    def receive(self) -> Received | None:
        """Take the next message that has arrived; None if there is none."""
        return self._inbox.popleft() if self._inbox else None

    def wait(self, timeout_s: float, *others: int) -> list[int]:
        """Block until a message can be received, one of `others` is ready, or time is up."""
        poll = select.poll()
        for other in (self._bell, *others):
            poll.register(other, select.POLLIN)
        self._silence()
        timeout_ms = 0 if self._inbox else max(0, math.ceil(timeout_s * 1000))
        return [ready for ready, _ in poll.poll(timeout_ms) if ready != self._bell]

    def close(self) -> None:
        """Leave; what has not been received is dropped."""
        if not self._is_closed:
            self._network.leave(self)
            self._is_closed = True
            self._inbox.clear()
            os.close(self._bell)
            os.close(self._rope)

    def deliver(self, message: Received) -> None:
        """Put a message into the inbox and wake who waits for it."""
        self._inbox.append(message)
        with suppress(BlockingIOError):  # the pipe is full: it has been rung often enough
            os.write(self._rope, b"!")

    def _silence(self) -> None:
        """Empty the pipe, before the look at the inbox: what comes between rings again."""
        with suppress(BlockingIOError):
            os.read(self._bell, 65536)


def _as_received(part: bytes) -> bytes | memoryview:
    return part if len(part) <= LARGE_PART_BYTES else memoryview(part)
