"""The timestamps of a stream: as in the container where it has them, derived where not."""

from __future__ import annotations

__all__ = ["Timeline"]


class Timeline:
    """Gives every frame a timestamp, later than that of the frame before it.

    Args:
        step: Ticks from one frame to the next, where nothing better is known.
        jump: A step back of more ticks than this is a new beginning (a restarted recording, two
            streams in one file): time goes on from there. A smaller one is an inaccuracy.

    >>> timeline = Timeline(step=10, jump=100)
    >>> [timeline.place(pts, None) for pts in (0, 10, None, 30, 29, 40)]
    [0, 10, 20, 30, 31, 40]
    >>> timeline = Timeline(step=10, jump=100)
    >>> [timeline.place(pts, None) for pts in (5000, 5010, 0, 10)]
    [5000, 5010, 5020, 5030]
    """

    def __init__(self, *, step: int, jump: int) -> None:
        self._step = max(1, step)
        self._jump = jump
        self._shift = 0
        self._last: int | None = None

    def place(self, pts: int | None, dts: int | None) -> int:
        """Return the timestamp of the next frame in presentation order.

        Args:
            pts: Presentation time in the container, if it has one.
            dts: Decoding time of the packet that completed the frame: where there is no
                presentation time (AVI) or a wrong one (MPEG program streams), it is in order.
        """
        self._last = self._next(pts, dts)
        return self._last

    def restart(self) -> None:
        """Forget the last frame, because reading goes on at another place."""
        self._last = None

    def _next(self, pts: int | None, dts: int | None) -> int:
        known = [time + self._shift for time in (pts, dts) if time is not None]
        last = self._last
        if last is None:
            return known[0] if known else 0
        if not known:
            return last + self._step
        for time in known:
            if time > last:
                return time
        if last - known[0] > self._jump:
            self._shift += last + self._step - known[0]
            return last + self._step
        return last + 1
