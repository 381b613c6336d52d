"""The Celery application: its tasks by name. What they do is given by the process that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from celery import Celery

from sightline.broker.lint import check_settings
from sightline.broker.settings import GRACE_S, celery_settings
from sightline.jobs.states import Queue

if TYPE_CHECKING:
    from sightline.broker.options import BrokerOptions

__all__ = ["FOLLOW", "PROCESS", "WORK", "Hands", "make_celery", "task_of"]

WORK = "sightline.work"
"""Does a task of a queue whose tasks are short; acknowledged when it is done."""
FOLLOW = "sightline.follow"
"""Does a task of a queue whose tasks may take hours, such as a final pass that follows its chunks.

Acknowledged when it begins: RabbitMQ takes a message back after half an hour, and the rows know."""
PROCESS = "sightline.process"
"""Submits a job; for other programs."""

_LONG = frozenset({Queue.FINALIZE, Queue.INTERACTIVE})


class Hands(Protocol):
    """What a worker process does when a message comes."""

    def work(self, queue: Queue) -> None:
        """Do the oldest ready task of a queue, if there is one."""

    def submit(self, fields: dict[str, Any], *, message_id: str) -> str:
        """Submit a job; return its id."""


def task_of(queue: Queue) -> str:
    """Name the Celery task that wakes a worker for a queue."""
    return FOLLOW if queue in _LONG else WORK


def make_celery(options: BrokerOptions, *, hands: Hands | None = None) -> Celery:
    """Make the application.

    Args:
        options: How to reach the broker.
        hands: What does the work; None: this process only sends messages, or looks on.

    Raises:
        BrokerError: A setting is dead or dangerous.
    """
    settings = celery_settings(options)
    check_settings(settings, options=options)
    application = Celery("sightline", set_as_current=False)
    application.conf.update(settings)
    _register(application, hands, limit_s=options.chunk_limit_s + GRACE_S)
    return application


def _register(application: Celery, hands: Hands | None, *, limit_s: float) -> None:
    def at_work() -> Hands:
        if hands is None:
            raise RuntimeError("this process sends wake-ups, and does no work")
        return hands

    def work(queue: str) -> None:
        at_work().work(Queue(queue))

    def process(self: Any, source_url: str, **fields: Any) -> str:
        return at_work().submit({"source_url": source_url, **fields}, message_id=self.request.id)

    application.task(work, name=WORK, shared=False, time_limit=limit_s)
    application.task(work, name=FOLLOW, shared=False, acks_late=False)
    application.task(process, name=PROCESS, shared=False, bind=True, time_limit=limit_s)
