"""What a node that was started by hand says of its speed: once a second while frames flow.

And once in a while if they should, but do not.
"""

from __future__ import annotations

import math
import time

from sightline.graph.histogram import RecentDelays

__all__ = ["Meter", "Silence"]

_EVERY_S = 1.0
_PAUSE_S = 3.0
_SILENCE_S = 10.0


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


class Silence:
    """Notices that nothing comes back of what was given out. It knows no clock."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._told_s = 0.0

    def end(self) -> None:
        """Note that something came back."""
        self._since_s = None

    def line(self, now_s: float, *, waits: bool, handlers: int) -> str | None:
        """Say that nothing came back for long, every ten seconds; None: it is not so, or too early.

        Args:
            now_s: Monotonic clock.
            waits: Something was given out, or is to be.
            handlers: How many there are.
        """
        if not waits:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = self._told_s = now_s
        elif now_s - self._told_s >= _SILENCE_S:
            self._told_s = now_s
            why = "is the collector there?" if handlers else "no handler is there"
            return f"0.0 frames/s; nothing came back for {now_s - self._since_s:.0f} s: {why}"
        return None


def _describe(delays: tuple[str, RecentDelays]) -> str:
    name, recent = delays
    mean, p50, p95 = (1000 * s for s in (recent.mean, recent.p50, recent.p95))
    return f"{name} {mean:.1f} ms (p50 {p50:.1f}, p95 {p95:.1f})"
