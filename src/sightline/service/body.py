"""Bodies of requests that arrive too slowly, or are too large; it knows no route.

`received` gives the pieces of a body as they come; `read_whole` reads a small one before the
application sees the request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Receive

__all__ = ["BodyCutError", "Pace", "read_whole", "received", "replayed"]


class BodyCutError(Exception):
    """The client is gone before the body was complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly a body may arrive.

    Attributes:
        pause_s: The longest pause.
        bytes_per_s: The least average rate, counted from when the first `pause_s` are over.
        total_s: How long it may take altogether; None: as long as the rate is kept.
    """

    pause_s: float = 20.0
    bytes_per_s: float = 1024.0
    total_s: float | None = None

    def deadline(self, begun_s: float, now_s: float, *, arrived: int) -> float:
        """Give the time by which the next piece must be there."""
        by_rate = begun_s + self.pause_s + arrived / self.bytes_per_s
        ends = begun_s + self.total_s if self.total_s is not None else by_rate
        return min(now_s + self.pause_s, by_rate, ends)


async def received(receive: Receive, pace: Pace) -> AsyncIterator[bytes]:
    """Give the pieces of a body as they arrive.

    Raises:
        BodyCutError: The client is gone.
        ProblemError: It is too slow; status 408.
    """
    begun_s = time.monotonic()
    arrived = 0
    more = True
    while more:
        now_s = time.monotonic()
        left_s = pace.deadline(begun_s, now_s, arrived=arrived) - now_s
        message = await _next_message(receive, left_s)
        if message["type"] == "http.disconnect":
            raise BodyCutError
        more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        arrived += len(piece)
        if piece:
            yield piece


async def read_whole(receive: Receive, pace: Pace, *, limit: int) -> bytes:
    """Read a body.

    Raises:
        BodyCutError: The client is gone.
        ProblemError: It is longer than the limit, or too slow; status 413 or 408.
    """
    pieces = []
    length = 0
    async for piece in received(receive, pace):
        length += len(piece)
        if length > limit:
            raise ProblemError("too-large", f"the body has more than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to whoever reads it next."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


async def _next_message(receive: Receive, left_s: float) -> Message:
    try:
        async with asyncio.timeout(left_s):
            return await receive()
    except TimeoutError:
        # The rest would be awaited without a limit if the connection were to stay.
        raise ProblemError(
            "slow-request", "the body arrives too slowly", headers={"Connection": "close"}
        ) from None
