"""The handlers that a source node knows: who said hello, who is ready, who is dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.transport.host import ProcessWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.transport.messages import Hello

__all__ = ["Peer", "Peers"]

_SILENCE_S = 1.0
"""After so long without a message a handler on another machine is taken for dead."""


@dataclass(slots=True, eq=False)
class Peer:
    """One handler.

    Attributes:
        identity: What it is called.
        hello: What it said of itself.
        is_near: It is on this machine.
        heard_s: When it last said something.
        watch: Tells of its end; None: only its silence does.
        is_ready: It takes work.
    """

    identity: bytes
    hello: Hello
    is_near: bool
    heard_s: float
    watch: ProcessWatch | None
    is_ready: bool = False


class Peers:
    """All handlers by identity.

    Args:
        host: This machine.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._peers: dict[bytes, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def find(self, identity: bytes, now_s: float) -> Peer | None:
        """Find a handler that is heard from; None: it has not said hello."""
        peer = self._peers.get(identity)
        if peer is not None:
            peer.heard_s = now_s
        return peer

    @property
    def ready(self) -> list[Peer]:
        """Those that take work."""
        return [peer for peer in self._peers.values() if peer.is_ready]

    @property
    def fds(self) -> list[int]:
        """File descriptors that are readable when a handler on this machine is dead."""
        return [peer.watch.fileno() for peer in self._peers.values() if peer.watch is not None]

    def greet(self, identity: bytes, hello: Hello, now_s: float) -> None:
        """Take a handler in; one that says hello again stays what it is."""
        if identity in self._peers:
            return
        is_near = hello.host == self._host
        try:
            watch = ProcessWatch(hello.pid) if is_near else None
        except NotImplementedError:  # silence must tell
            watch = None
        except ProcessLookupError:
            return
        self._peers[identity] = Peer(identity, hello, is_near, now_s, watch)

    def forget(self, identity: bytes) -> None:
        """Let a handler go."""
        peer = self._peers.pop(identity, None)
        if peer is not None and peer.watch is not None:
            peer.watch.close()

    def dead(self, readable: list[int], now_s: float) -> list[bytes]:
        """List those that are dead, as far as one can know.

        Args:
            readable: Of `fds`.
            now_s: Monotonic clock.
        """
        return [
            peer.identity
            for peer in self._peers.values()
            if (
                now_s - peer.heard_s > _SILENCE_S
                if peer.watch is None
                else peer.watch.fileno() in readable
            )
        ]

    def close(self) -> None:
        """Forget all."""
        for identity in list(self._peers):
            self.forget(identity)
