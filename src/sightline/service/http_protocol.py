"""HTTP as uvicorn speaks it, but for clients that never finish to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["PatientProtocol"]


class PatientProtocol(H11Protocol):
    """Closes a connection whose request head has not come after `HEAD_S` seconds.

    uvicorn itself waits forever, so that a client could hold all connections that there may be.
    """

    HEAD_S = 15.0

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; wait on if it was the beginning of a head."""
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        """Keep a timer while a head is expected; the first byte of one does not start it anew."""
        expects_head = self.conn.their_state is h11.IDLE
        if expects_head and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.HEAD_S, self._give_up)
        elif not expects_head and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
