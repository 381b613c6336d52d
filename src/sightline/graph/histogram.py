"""Delays summed up: percentiles over a whole run, and over the latest frames.

It counts what it is told; it reads no clock.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import accumulate

__all__ = ["Histogram", "RecentDelays"]

_LOWEST_S = 1e-6
_HIGHEST_S = 1e3
_GROWTH = 1.1  # the middle of a bucket is at most sqrt(1.1) - 1 = 4.9 % from what it stands for
_PER_E = 1 / math.log(_GROWTH)  # buckets by which a delay e times as long is further up
_FIRST = 1 - math.log(_LOWEST_S) * _PER_E  # the bucket below it takes what is under 1 µs
_BUCKETS = int(math.log(_HIGHEST_S) * _PER_E + _FIRST) + 1
_log = math.log


class Histogram:
    """Counts delays in buckets of equal ratio, 1 µs to 1000 s, so that memory is fixed.

    Attributes:
        count: How many delays were added.
        total_s: Their sum in seconds.
        max_s: The longest in seconds; 0 if there is none.

    >>> delays = Histogram()
    >>> for milliseconds in range(1, 101):
    ...     delays.add(milliseconds / 1000)
    >>> delays.count, round(delays.mean, 4), round(delays.quantile(0.5), 3)
    (100, 0.0505, 0.05)
    """

    __slots__ = ("_counts", "count", "max_s", "total_s")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.total_s = 0.0
        self.max_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one delay; below 1 µs and above 1000 s it is only known to be so.

        Raises:
            ValueError: It is negative or not a number.
        """
        if _LOWEST_S <= seconds < _HIGHEST_S:
            self._counts[int(_log(seconds) * _PER_E + _FIRST)] += 1
        elif seconds >= _HIGHEST_S:
            self._counts[-1] += 1
        elif seconds >= 0:
            self._counts[0] += 1
        else:
            raise ValueError(f"a delay must be 0 s or more, but is {seconds}")
        self.count += 1
        self.total_s += seconds
        if seconds > self.max_s:  # noqa: PLR1730 - max() takes three times as long
            self.max_s = seconds

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram has counted."""
        self._counts = [a + b for a, b in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.total_s += other.total_s
        self.max_s = max(self.max_s, other.max_s)

    def copy(self) -> Histogram:
        """Return another histogram that has counted the same."""
        other = Histogram()
        other.merge(self)
        return other

    def since(self, earlier: Histogram) -> Histogram:
        """Return what was counted after a copy was made; the longest delay is still that of all.

        >>> delays = Histogram()
        >>> delays.add(9.0)
        >>> earlier = delays.copy()
        >>> delays.add(0.01)
        >>> later = delays.since(earlier)
        >>> later.count, round(later.quantile(1.0), 2)
        (1, 0.01)
        """
        later = Histogram()
        later._counts = [a - b for a, b in zip(self._counts, earlier._counts, strict=True)]
        later.count = self.count - earlier.count
        later.total_s = self.total_s - earlier.total_s
        later.max_s = self.max_s
        return later

    @property
    def mean(self) -> float:
        """Mean in seconds; NaN if nothing was added."""
        return self.total_s / self.count if self.count else math.nan

    def quantile(self, q: float) -> float:
        """Estimate the delay in seconds that a share `q` of all do not exceed.

        The nearest rank, within 5 %; never above the longest delay. NaN if nothing was added.

        Raises:
            ValueError: `q` is outside 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"q must be between 0 and 1, but is {q}")
        if not self.count:
            return math.nan
        rank = max(1, math.ceil(q * self.count))
        cumulated = accumulate(self._counts)
        bucket = next(index for index, below in enumerate(cumulated) if below >= rank)
        if bucket == 0:
            return min(_LOWEST_S, self.max_s)
        if bucket == _BUCKETS - 1:
            return self.max_s
        return min(_LOWEST_S * math.pow(_GROWTH, bucket - 0.5), self.max_s)

    def percentiles(self) -> dict[str, float]:
        """Convert the figures that dashboards show to JSON values in milliseconds.

        There must be a delay.
        """
        shown = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}
        return {name: round(1000 * self.quantile(q), 4) for name, q in shown.items()}

    def as_dict(self) -> dict[str, float | None]:
        """Convert to JSON values, in milliseconds but for the sum; None if nothing was added."""
        if not self.count:
            names = ("total_s", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "max_ms")
            return {"count": 0, **dict.fromkeys(names)}
        return {
            "count": self.count,
            "total_s": self.total_s,
            **self.percentiles(),
            "mean_ms": round(1000 * self.mean, 4),
            "max_ms": round(1000 * self.max_s, 4),
        }


class RecentDelays:
    """The exact figures of the latest delays.

    >>> delays = RecentDelays(size=3)
    >>> for seconds in (9.0, 0.1, 0.2, 0.3):
    ...     delays.add(seconds)
    >>> delays.p50, delays.p95, round(delays.mean, 3)
    (0.2, 0.3, 0.2)
    """

    def __init__(self, size: int = 150) -> None:
        if size < 1:
            raise ValueError(f"size must be 1 or more, but is {size}")
        self._delays: deque[float] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._delays)

    def add(self, seconds: float) -> None:
        """Count one delay; the oldest one is forgotten if there are more than `size`."""
        self._delays.append(seconds)

    @property
    def mean(self) -> float:
        """Mean in seconds; NaN if nothing was added."""
        return math.fsum(self._delays) / len(self._delays) if self._delays else math.nan

    @property
    def p50(self) -> float:
        """Median in seconds (nearest rank); NaN if nothing was added."""
        return self._quantile(0.50)

    @property
    def p95(self) -> float:
        """95th percentile in seconds (nearest rank); NaN if nothing was added."""
        return self._quantile(0.95)

    def _quantile(self, q: float) -> float:
        if not self._delays:
            return math.nan
        return sorted(self._delays)[math.ceil(q * len(self._delays)) - 1]
