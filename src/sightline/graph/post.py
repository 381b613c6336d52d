"""What a hub sends: gathered during a turn, so that a peer is woken once for all of it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from sightline.errors import LinkError
from sightline.transport.messages import Release, encode

if TYPE_CHECKING:
    from sightline.graph.record import FrameRecord
    from sightline.transport.link import Buffer, Link
    from sightline.transport.messages import Message

__all__ = ["Post"]


class Post:
    """Outgoing messages. Used by one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._outgoing: defaultdict[bytes, list[list[Buffer]]] = defaultdict(list)
        self._releases: defaultdict[bytes, Release] = defaultdict(lambda: Release([], []))

    def put(self, to: bytes, message: Message, payload: Buffer | None = None) -> None:
        """Put a message into what is sent next."""
        parts: list[Buffer] = [encode(message)]
        if payload is not None:
            parts.append(payload)
        self._outgoing[to].append(parts)

    def release(self, record: FrameRecord) -> int:
        """Let the slots of a frame be used again, some time; return how many wait to be sent."""
        release = self._releases[record.feeder]
        (release.kept if record.kept else release.slots).extend(record.slots)
        return len(release.slots) + len(release.kept)

    def send_release(self, feeder: bytes) -> None:
        """Put what a feeder can use again into what is sent next."""
        self.put(feeder, self._releases.pop(feeder))

    @property
    def waiting_releases(self) -> list[bytes]:
        """Feeders that have slots to be released."""
        return list(self._releases)

    def send(self) -> None:
        """Send what was put; a peer that is gone will be found dead in a moment."""
        for to, messages in self._outgoing.items():
            with suppress(LinkError):
                if len(messages) == 1:
                    self._link.send(messages[0], to=to)
                else:
                    self._link.send_all(messages, to=to)
        self._outgoing.clear()
