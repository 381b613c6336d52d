"""How fast a count grows, over the last few seconds.

It is told how far the count is; it reads no clock.
"""

from __future__ import annotations

from collections import deque

__all__ = ["RecentRate"]

_SPAN_S = 3.0
_STEP_S = 0.25


class RecentRate:
    """Growth per second over the last three seconds, or since the first note.

    >>> rate = RecentRate()
    >>> for tenth in range(100):
    ...     rate.note(tenth / 10, count=3 * tenth)
    >>> round(rate.per_second, 3)
    30.0
    """

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int]] = deque()

    def note(self, now_s: float, count: int) -> None:
        """Note the count at a time; notes that follow too quickly are left out."""
        notes = self._notes
        if notes and now_s - notes[-1][0] < _STEP_S:
            return
        notes.append((now_s, count))
        while now_s - notes[0][0] > _SPAN_S:
            notes.popleft()

    @property
    def per_second(self) -> float:
        """The rate; 0 before there is a second note."""
        if len(self._notes) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._notes[0], self._notes[-1]
        return (last - first) / (last_s - first_s)
