"""The handlers that are there: what each holds, how much it may hold, and who gets the next work.

It knows nothing of queues or of the order of works; that is the dispatcher's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Handler", "Roster"]

_QUICK_S = 0.002  # a handler this quick would wait for its next work: it is sent ahead
_VERY_QUICK_S = 0.0005
_MEMORY = 128  # works after which those before count half in the mean service time

E = TypeVar("E")


class Handler(Generic[E]):
    """One handler, and what it holds.

    Attributes:
        name: Its name.
        batch: How many works it may have at hand at once.
        held: What it holds by key, oldest first.
        credit: How many works it may hold if some may lie waiting.
        timely_credit: How many if they may only if it is quick; at most `credit`.
        place: Among the handlers of equal load; None if it is to get nothing.
    """

    __slots__ = (
        "_capacity",
        "_timed",
        "_total_s",
        "batch",
        "credit",
        "held",
        "name",
        "place",
        "timely_credit",
    )

    def __init__(self, name: bytes, *, capacity: int, batch: int) -> None:
        self.name = name
        self.batch = batch
        self.held: dict[Hashable, E] = {}
        self.credit = self._capacity = capacity
        self.timely_credit = batch
        self.place: _Handlers[E] | None = None
        self._timed = 0.0
        self._total_s = 0.0

    @property
    def service_s(self) -> float | None:
        """Recent mean service time; None as long as none is known."""
        return self._total_s / self._timed if self._timed else None

    def time(self, busy_s: float) -> None:
        """Learn how long a work took, and set the credit by the mean."""
        self._total_s += busy_s
        self._timed += 1
        if self._timed >= _MEMORY:
            self._total_s /= 2
            self._timed /= 2
        mean = self._total_s / self._timed
        self.credit = self._capacity if mean >= _VERY_QUICK_S else 2 * self._capacity
        self.timely_credit = self.credit if mean < _QUICK_S else self.batch


_Handlers = OrderedDict[Handler[E], None]


class _Load(NamedTuple, Generic[E]):
    """Handlers that hold equally many works, longest so first."""

    open: _Handlers[E]  # may get any work
    patient: _Handlers[E]  # may get works that may lie waiting


class Roster(Generic[E]):
    """All handlers by name, and by how much they hold.

    Attributes:
        handlers: By name.
    """

    def __init__(self) -> None:
        self.handlers: dict[bytes, Handler[E]] = {}
        self._loads: list[_Load[E]] = []  # by number of works held

    def join(self, name: bytes, *, capacity: int, batch: int) -> None:
        """Take a handler in.

        Raises:
            ValueError: It is there already, or `capacity` is less than `batch`.
        """
        if name in self.handlers:
            raise ValueError(f"handler {name!r} has joined already")
        if not 1 <= batch <= capacity:
            raise ValueError(f"capacity {capacity} must be at least batch {batch}, and that 1")
        self.handlers[name] = handler = Handler[E](name, capacity=capacity, batch=batch)
        while len(self._loads) < 2 * capacity:
            self._loads.append(_Load(OrderedDict(), OrderedDict()))
        self._place(handler)

    def leave(self, name: bytes) -> Handler[E] | None:
        """Let a handler go; None if it is not there."""
        handler = self.handlers.pop(name, None)
        if handler is not None:
            self._withdraw(handler)
        return handler

    def free(self, *, ahead: bool, alone: bool) -> Handler[E] | None:
        """Name the handler that holds least and may get a work, of equals the longest so.

        Args:
            ahead: The work may lie waiting at a handler that is not quick.
            alone: It is only given to a handler that holds nothing.
        """
        for load in self._loads:
            if load.open:
                return next(iter(load.open))
            if alone:
                return None
            if load.patient and ahead:
                return next(iter(load.patient))
        return None

    def give(self, handler: Handler[E], key: Hashable, work: E, *, alone: bool) -> None:
        """Note that a handler was given a work; `alone`: it gets no other beside it."""
        handler.held[key] = work
        if alone:
            self._withdraw(handler)
        else:
            self._place(handler)

    def take(self, name: bytes, key: Hashable, *, busy_s: float | None) -> E | None:
        """Take a work back from a handler; None if it does not hold it."""
        handler = self.handlers.get(name)
        work = handler.held.pop(key, None) if handler else None
        if handler is None or work is None:
            return None
        if busy_s is not None:
            handler.time(busy_s)
        self._place(handler)
        return work

    def _place(self, handler: Handler[E]) -> None:
        """Put a handler behind the others that hold as much, if it may hold more."""
        self._withdraw(handler)
        held = len(handler.held)
        if held < handler.timely_credit:
            handler.place = self._loads[held].open
        elif held < handler.credit:
            handler.place = self._loads[held].patient
        else:
            return
        handler.place[handler] = None

    def _withdraw(self, handler: Handler[E]) -> None:
        if handler.place is not None:
            del handler.place[handler]
            handler.place = None
