"""How long the frames of a stream were on each part of their way over the last ten seconds.

It is told how late it is; it reads no clock, and counts nothing itself.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sightline.graph.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RecentHops"]

_SPAN_S = 10.0
_STEP_S = 1.0


class RecentHops:
    """What histograms have counted since marks that are set every second.

    Args:
        hops: By name; they grow.

    >>> hops = {"age": Histogram()}
    >>> recent = RecentHops(hops)
    >>> for second in range(30):
    ...     hops["age"].add(9.0 if second == 0 else 0.01)
    ...     recent.note(float(second))
    >>> figures = recent.as_dict()["age"]
    >>> figures["count"], round(figures["p99_ms"])
    (10, 10)
    """

    def __init__(self, hops: Mapping[str, Histogram]) -> None:
        self._hops = hops
        self._marks: deque[tuple[float, dict[str, Histogram]]] = deque()
        self._before = {hop: Histogram() for hop in hops}

    def note(self, now_s: float) -> None:
        """Set a mark, unless there is one of less than a second ago; forget those that are old."""
        marks = self._marks
        if marks and now_s - marks[-1][0] < _STEP_S:
            return
        marks.append((now_s, {hop: delays.copy() for hop, delays in self._hops.items()}))
        while now_s - marks[0][0] >= _SPAN_S:
            _, self._before = marks.popleft()

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Convert to JSON values: count and percentiles, by those hops that anything has passed."""
        recent = {hop: delays.since(self._before[hop]) for hop, delays in self._hops.items()}
        return {
            hop: {"count": delays.count, **delays.percentiles()}
            for hop, delays in recent.items()
            if delays.count
        }
