"""What a node that was started by hand says of its speed: once a second while frames flow."""

from __future__ import annotations

import math
import time

from sightline.graph.histogram import RecentDelays

__all__ = ["Meter"]

_EVERY_S = 1.0
_PAUSE_S = 3.0


class Meter:
    """Counts frames, and the latest delays of each kind.

    Args:
        names: What the delays are, in the order in which `add` gets them.
    """

    def __init__(self, *names: str) -> None:
        self._delays = {name: RecentDelays() for name in names}
        self._frames = 0
        self._since_s = -math.inf

    def add(self, *delays_s: float) -> None:
        """Count a frame."""
        now_s = time.monotonic()
        if not self._frames and now_s > self._since_s + _PAUSE_S:
            self._since_s = now_s  # the rate is that of frames that flow
        self._frames += 1
        for recent, delay_s in zip(self._delays.values(), delays_s, strict=True):
            recent.add(delay_s)

    def line(self, *, is_last: bool = False) -> str | None:
        """Say how fast it goes; None if it is too early for the next line, or nothing came."""
        now_s = time.monotonic()
        elapsed_s = now_s - self._since_s
        if not self._frames or (elapsed_s < _EVERY_S and not is_last):
            return None
        rate = self._frames / max(elapsed_s, 1e-3)
        self._frames, self._since_s = 0, now_s
        return "; ".join([f"{rate:.1f} frames/s", *map(_describe, self._delays.items())])


def _describe(delays: tuple[str, RecentDelays]) -> str:
    name, recent = delays
    mean, p50, p95 = (1000 * s for s in (recent.mean, recent.p50, recent.p95))
    return f"{name} {mean:.1f} ms (p50 {p50:.1f}, p95 {p95:.1f})"
