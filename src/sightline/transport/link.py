"""The seam between nodes and the network between them. It knows no sockets, and no messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LARGE_PART_BYTES",
    "Buffer",
    "Link",
    "Received",
    "as_bytes",
    "check_identity",
    "check_peer",
]

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]
"""What can be a part of a message, if it is C-contiguous."""

LARGE_PART_BYTES = 64 * 1024
"""Larger parts may travel without being copied on either side."""


class Received(NamedTuple):
    """A message that came in.

    Attributes:
        sender: Identity of the peer at the listening side; empty at the connecting side.
        parts: As they were sent, at least one. The first is always bytes; others of more than
            `LARGE_PART_BYTES` are views, whose memory lives as long as they do.
    """

    sender: bytes
    parts: list[bytes | memoryview]


@runtime_checkable
class Link(Protocol):
    """Carries messages, which are lists of byte buffers, between a node and its peers.

    One side listens, the other connects and has an identity. Messages of a peer arrive whole, in
    order and without gaps as long as its connection lasts; when it ends, those under way are lost.
    The connecting side connects again by itself. The listening side can send to peers it has heard
    of; one that comes under the identity of another takes its place. What cannot be sent at once is
    sent while the sender calls `receive`, `send` or `wait`, if not before. A link is used by one
    thread at a time.
    """

    def send(self, parts: Sequence[Buffer], *, to: bytes = b"") -> None:
        """Queue a message of at least one part; never blocks, however many are queued.

        Args:
            parts: C-contiguous buffers; may be empty each. Those above `LARGE_PART_BYTES` are
                not copied: leave them unchanged until the peer has answered.
            to: Identity of the peer; at the connecting side there is just one, which is empty.

        Raises:
            LinkError: There is no such peer (any more), or nobody to whom messages could be sent.
            TypeError: A part is no such buffer.
            ValueError: There are no parts, or the connecting side names a peer.
        """

    def send_all(self, messages: Sequence[Sequence[Buffer]], *, to: bytes = b"") -> None:
        """Queue several messages, as `send` does one by one; a link may carry them together.

        Raises:
            LinkError: As `send` does; some of the messages may have been queued.
            TypeError: A part is no such buffer.
            ValueError: A message has no parts, or the connecting side names a peer.
        """

    def receive(self) -> Received | None:
        """Take the next message that has arrived; None if there is none. Never blocks."""

    def wait(self, timeout_s: float, *others: int) -> list[int]:
        """Block until a message can be received, one of `others` is ready, or time is up.

        Args:
            timeout_s: At most this long, to the millisecond above; 0 or less just looks.
            others: File descriptors of pipes, sockets, processes.

        Returns:
            Those of `others` that can be read or whose other side is gone; often none.
        """

    def close(self) -> None:
        """Leave at once; messages under way are dropped. May be called twice."""


def as_bytes(part: Buffer) -> memoryview:
    """View a buffer as plain bytes, without copying it.

    Raises:
        TypeError: It is not C-contiguous, or no buffer at all.
    """
    view = part.data if isinstance(part, np.ndarray) else memoryview(part)
    return view.cast("B") if view.nbytes else memoryview(b"")


def check_identity(identity: bytes) -> None:
    """Check what a connecting node wants to be called.

    Raises:
        ValueError: It is not 1 to 255 bytes, or begins with 0.
    """
    if not 0 < len(identity) < 256 or identity[0] == 0:
        raise ValueError(
            f"identity must be 1 to 255 bytes that do not begin with 0, but is {identity!r}"
        )


def check_peer(to: bytes) -> None:
    """Check whom a connecting node sends to: it has one peer, without a name.

    Raises:
        ValueError: It is another one.
    """
    if to:
        raise ValueError(f"a connection has one peer, b'', but a message is for {to!r}")
