"""When the next frame of a source is due."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sightline.errors import PipelineError

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.stream import StreamInfo

__all__ = ["Pace"]


class Pace:
    """Delays recorded frames until they would have come from a camera.

    The schedule is absolute, from the first frame on: waiting too long once delays nothing after.

    Args:
        rate: "native": by the timestamps of the frames; a number: frames per second; None: none.
        stream: The stream; a live one paces itself and is never delayed.

    Raises:
        PipelineError: The rate makes no sense.
    """

    def __init__(self, rate: float | str | None, stream: StreamInfo) -> None:
        if isinstance(rate, str) and rate != "native":
            raise PipelineError(f"rate must be 'native' or frames per second, but is {rate!r}")
        self._rate = None if stream.live else rate
        self._started_s = 0.0
        self._first_s = 0.0
        self._count = 0

    def due_in_s(self, frame: Frame) -> float:
        """Seconds until a frame is due; 0 or less: it is due now, and counts as delivered."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        if self._count == 0:
            self._started_s, self._first_s = now, frame.time_s
        if self._rate == "native":
            offset_s = frame.time_s - self._first_s
        else:
            offset_s = self._count / float(self._rate)
        wait_s = self._started_s + offset_s - now
        if wait_s <= 0:
            self._count += 1
        return wait_s
