"""Looking at a running graph from other threads, however often, without getting in its way."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sightline.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Snapshots"]

_FRESH_S = 0.25


class Snapshots:
    """The account of a graph, asked for at most four times a second; safe for many threads.

    Args:
        take: Takes a snapshot; may raise `GraphError` or `TimeoutError` while the graph ends.
    """

    def __init__(self, take: Callable[[], dict[str, Any]]) -> None:
        self._take = take
        self._lock = threading.Lock()
        self._latest: dict[str, Any] = {"streams": {}}
        self._next_s = 0.0

    def __call__(self) -> dict[str, Any]:
        """Return the latest account; one that is a little older if there is no newer one now."""
        with self._lock:
            if time.monotonic() >= self._next_s:
                with suppress(GraphError, TimeoutError):  # just ending: what was known is true
                    self._latest = self._take()
                self._next_s = time.monotonic() + _FRESH_S
            return self._latest
