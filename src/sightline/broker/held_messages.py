"""The messages that a worker has and has not acknowledged: it lets go of each in time.

A message is acknowledged when its task is done: so a worker gets no more of them than it has
processes, and none waits in a busy worker while another one is idle. But a task may take hours, and
RabbitMQ closes the channel of whoever has not acknowledged a message for half an hour, of which the
worker ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sightline.broker.application import WORK

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HeldMessages"]


class HeldMessages:
    """Knows for how long messages are held; for the event loop of the worker alone.

    Args:
        hold_s: How long one may be held.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._since_s: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def let_go(self, requests: Iterable[Any], now_s: float) -> None:
        """Let go of what has been held for long, though its task goes on or has not begun.

        A wake-up is acknowledged: should its task be lost, that is ready again without one, and
        another is sent. A submission is the only one of its kind, and goes back to its queue; that
        it may then come twice is harmless.

        Args:
            requests: All `celery.worker.request.Request` that the worker has now.
            now_s: Monotonic.
        """
        for request in requests:
            since_s = self._since_s.setdefault(request, now_s)
            if now_s - since_s < self._hold_s or request.acknowledged:
                continue
            if request.task.name == WORK:
                request.acknowledge()
            else:
                request.reject(requeue=True)
