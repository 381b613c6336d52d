"""Server-sent events of one job: snapshots as they come, until the job or the client is at its end.

retry: 2000

event: status                  the first, and whenever the status changed; else `progress`
id: 17                         the version; `Last-Event-ID` names it after a reconnection
data: {"id": "018f…", …}       the job object

event: done                    the last one, of a terminal job
…
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

from sightline.service.headers import is_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from sightline.jobs.states import JobState
    from sightline.service.events import Snapshot, Watch

__all__ = ["EventStream"]

_KEEP_ALIVE_S = 15.0
_BEGIN = b"retry: 2000\n\n"
_KEEP_ALIVE = b": still here\n\n"


class EventStream(Response):
    """Sends what a watch brings; closes the watch.

    Args:
        watch: Of the job.
        seen: The version that the client has seen; None: none.
        keep_alive_s: Send a comment when there was nothing to say for so long.
    """

    media_type = "text/event-stream"

    def __init__(
        self, watch: Watch, *, seen: int | None = None, keep_alive_s: float = _KEEP_ALIVE_S
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._watch = watch
        self._seen = seen
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the job is at its end, the client is gone or the service ends."""
        async with self._watch.attended(receive):
            with suppress(OSError):
                await self._send(send, with_content=not is_head(scope))

    async def _send(self, send: Send, *, with_content: bool) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if with_content:
            async for piece in self._pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield _BEGIN
        told: Snapshot | None = None
        state: JobState | None = None
        while not self._watch.is_over:
            snapshot = self._watch.snapshot
            if snapshot is not None and snapshot is not told:
                told = snapshot
                if snapshot.job is None:
                    return
                if snapshot.job.version != self._seen:
                    yield _event(snapshot, previous=state)
                state, self._seen = snapshot.job.state, None
                if state.terminal:
                    return
            elif not await self._watch.wait(self._keep_alive_s):
                yield _KEEP_ALIVE


def _event(snapshot: Snapshot, *, previous: JobState | None) -> bytes:
    job = snapshot.job
    assert job is not None
    name = "done" if job.state.terminal else "progress" if job.state is previous else "status"
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), job.version, snapshot.body)
