"""Calls into a thread that waits for file descriptors, from other threads."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Calls"]

T = TypeVar("T")


class Calls:
    """Functions that one thread calls for others, which wait for the results.

    Args:
        wake: Wakes the thread that answers.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether nobody answers any more."""
        return self._over.is_set()

    def make(self, function: Callable[[], T], *, timeout_s: float = 10.0) -> T:
        """Have the other thread call a function, and return its result.

        Raises:
            GraphError: The graph is over.
            TimeoutError: It takes too long.
        """
        future: Future[T] = Future()
        self._waiting.append((function, future))
        if self.is_over:
            raise GraphError("the graph is over")
        self._wake()
        return future.result(timeout_s)

    def answer(self) -> None:
        """Call what is waiting; in the thread that answers."""
        while self._waiting:
            function, future = self._waiting.popleft()
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised in the thread that called
                future.set_exception(error)

    def end(self) -> None:
        """Refuse all calls from now on."""
        self._over.set()
        while self._waiting:
            self._waiting.popleft()[1].set_exception(GraphError("the graph is over"))

    def wait_for_end(self, timeout_s: float | None) -> bool:
        """Wait for `end()`; return whether it came."""
        return self._over.wait(timeout_s)
