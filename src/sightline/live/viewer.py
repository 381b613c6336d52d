"""One connected viewer of some feeds: always the newest picture of each, never a queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Self

    from sightline.live.feed import Feed

__all__ = ["Viewer"]


class Viewer:
    """Waits for pictures on behalf of one connection; a context manager.

    Made and used in a running event loop; `notify` alone may be called from any thread.

    Args:
        feeds: What to watch.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        for feed in self._feeds:
            feed.attach(self)
        return self

    def __exit__(self, *_: object) -> None:
        for feed in self._feeds:
            feed.detach(self)

    def notify(self) -> None:
        """Wake the viewer."""
        self._loop.call_soon_threadsafe(self._news.set)

    async def pictures(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield JPEGs with the position of their feed, from the next frame on; feeds take turns.

        What was shown while the consumer was busy is skipped. Ends when all feeds have.
        """
        seen = [feed.number for feed in self._feeds]
        while True:
            self._news.clear()
            ended = all(feed.ended for feed in self._feeds)
            idle = True
            for position, feed in enumerate(self._feeds):
                if feed.number == seen[position]:
                    feed.want()
                    continue
                seen[position], jpeg = feed.newest()
                idle = False
                yield position, jpeg
            if idle and ended:
                return
            if idle:
                await self._news.wait()
