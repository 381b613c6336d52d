"""What the main process of a worker tells all processes of its pool, in memory that they share."""

from __future__ import annotations

import multiprocessing

from sightline.jobs.minder import Orders

__all__ = ["StandingOrders"]

_ORDERS = tuple(Orders)


class StandingOrders:
    """One byte: made before the fork, written by the main process, read by all."""

    def __init__(self) -> None:
        self._number = multiprocessing.RawValue("b", 0)

    def give(self, orders: Orders) -> None:
        """Tell all processes; for signal handlers, too: it takes no lock."""
        self._number.value = _ORDERS.index(orders)

    def current(self) -> Orders:
        """Say what was told last; `GO_ON` at first."""
        return _ORDERS[int(self._number.value)]
