"""How many frames per second a stream has had of late."""

from __future__ import annotations

from collections import deque

__all__ = ["RecentRate"]

_SPAN_S = 2.0


class RecentRate:
    """The rate over the last two seconds; of a slower stream, over the last two frames.

    >>> rate = RecentRate()
    >>> for tenth in range(11):
    ...     rate.add(tenth / 10)
    >>> rate.per_second(now_s=1.0)
    10.0
    >>> rate.per_second(now_s=60.0)
    0.0
    """

    def __init__(self) -> None:
        self._times_s: deque[float] = deque()

    def add(self, now_s: float) -> None:
        """Count a frame at a time of a clock that never goes back."""
        times_s = self._times_s
        times_s.append(now_s)
        while len(times_s) > 2 and times_s[0] < now_s - _SPAN_S:
            times_s.popleft()

    def per_second(self, now_s: float) -> float:
        """Divide the intervals by the time they span; 0 once the stream has paused for longer."""
        if len(self._times_s) < 2:
            return 0.0
        span_s = self._times_s[-1] - self._times_s[0]
        if span_s == 0 or now_s - self._times_s[-1] > max(_SPAN_S, span_s):
            return 0.0
        return (len(self._times_s) - 1) / span_s
