"""HTTP as uvicorn speaks it, but for clients that never finish to ask, or never take the answer.

Where there are too many connections, uvicorn would answer by itself, and not as the service answers
errors; here it is the gate that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sightline.service.gate import CROWDED

if TYPE_CHECKING:
    import asyncio

__all__ = ["PatientProtocol"]

_Part = Literal["head", "rest"]


class PatientProtocol(H11Protocol):
    """Closes a connection whose client does not do its part in time.

    uvicorn itself waits forever, so that a client could hold all connections that there may be.

    Attributes:
        HEAD_S: The head of a request must be there so long after it was first waited for.
        REST_S: So must the rest of a body whose request was answered before it was complete.
        SEND_S: Of what was sent, the client must take something again within this time.
    """

    HEAD_S = 15.0
    REST_S = 30.0
    SEND_S = 30.0

    _due: _Part | None = None
    _due_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None
    _unsent_bytes = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._usual_state = self.app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        # From now on, writing is paused whenever the client has not taken everything.
        transport.set_write_buffer_limits(high=0)
        self._wait_for_client()

    def data_received(self, data: bytes) -> None:
        """Take what came; wait on if more is due."""
        is_crowded = self._most is not None and len(self.connections) > self._most
        self.app_state = {**self._usual_state, CROWDED: is_crowded}
        super().data_received(data)
        self._wait_for_client()

    def on_response_complete(self) -> None:
        """Wait for the rest of the body, which nobody reads; uvicorn waits for the next request."""
        super().on_response_complete()
        if self._part_due() == "rest":
            self._wait_for_client()

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what was sent."""
        super().pause_writing()
        self._wait_for_progress()

    def resume_writing(self) -> None:
        """Go on sending: the client has taken everything."""
        _cancel(self._send_timer)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        _cancel(self._due_timer)
        _cancel(self._send_timer)
        super().connection_lost(exc)

    def _wait_for_client(self) -> None:
        """Keep a timer while more of a request is due; bytes of it do not start it anew."""
        due = self._part_due()
        if due == self._due:
            return
        _cancel(self._due_timer)
        self._due = due
        if due is not None:
            limit_s = self.HEAD_S if due == "head" else self.REST_S
            self._due_timer = self.loop.call_later(limit_s, self._give_up)

    def _part_due(self) -> _Part | None:
        """Tell what is due; a body that somebody reads is not: that one has limits of its own."""
        if self.conn.their_state is h11.IDLE:
            return "head"
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            return "rest"
        return None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _wait_for_progress(self) -> None:
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(self.SEND_S, self._look_at_progress)

    def _look_at_progress(self) -> None:
        """Wait on if the client has taken something; closing would wait for it to take the rest."""
        if self.transport.get_write_buffer_size() < self._unsent_bytes:
            self._wait_for_progress()
        else:
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
