"""How full the window of a stream is: counted at every outcome of a frame, not by time.

It counts what it is told; it reads no clock.
"""

from __future__ import annotations

import math

__all__ = ["Occupancy"]


class Occupancy:
    """Frames of one stream under way, as each of them had its outcome, itself included.

    Args:
        window: How many may be under way.

    Attributes:
        window: How many may be under way; another source may change it.
        most: The most that were; 0 before the first outcome.

    >>> occupancy = Occupancy(4)
    >>> for admitted in (0, 3, 4):
    ...     occupancy.note_outcome(admitted)
    >>> occupancy.most, round(occupancy.mean, 2)
    (3, 2.33)
    """

    __slots__ = ("_outcomes", "_total", "most", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.most = 0
        self._outcomes = 0
        self._total = 0

    def note_outcome(self, admitted: int) -> None:
        """Count a frame that has its outcome.

        Args:
            admitted: Numbers given out when the frame before it had its own.
        """
        under_way = admitted - self._outcomes + 1
        self._outcomes += 1
        self._total += under_way
        if under_way > self.most:  # noqa: PLR1730 - max() takes three times as long
            self.most = under_way

    @property
    def mean(self) -> float:
        """Mean over the frames that had their outcome; NaN if there is none."""
        return self._total / self._outcomes if self._outcomes else math.nan

    def as_dict(self) -> dict[str, float | None]:
        """Convert to JSON values; the mean is None before the first outcome."""
        mean = round(self.mean, 2) if self._outcomes else None
        return {"window": self.window, "most": self.most, "mean": mean}
