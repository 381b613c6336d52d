"""The Celery application: its tasks by name. What they do is given by the process that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from celery import Celery

from sightline.broker.lint import check_settings
from sightline.broker.settings import celery_settings
from sightline.jobs.states import Queue

if TYPE_CHECKING:
    from sightline.broker.options import BrokerOptions

__all__ = ["PROCESS", "WORK", "Hands", "make_celery"]

WORK = "sightline.work"
"""Does a task of a queue, however long it takes: one that hangs is ended by its own process.

Acknowledged when the task is done, or when it has taken a while; see `held_messages`."""
PROCESS = "sightline.process"
"""Submits a job; for other programs."""

_SUBMIT_LIMIT_S = 300.0


class Hands(Protocol):
    """What a worker process does when a message comes."""

    def work(self, queue: Queue) -> None:
        """Do the oldest ready task of a queue, if there is one."""

    def submit(self, fields: dict[str, Any], *, message_id: str) -> str:
        """Submit a job; return its id."""


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
    _register(application, hands)
    return application


def _register(application: Celery, hands: Hands | None) -> None:
    def at_work() -> Hands:
        if hands is None:
            raise RuntimeError("this process sends wake-ups, and does no work")
        return hands

    def work(queue: str) -> None:
        at_work().work(Queue(queue))

    def process(self: Any, source_url: str, **fields: Any) -> str:
        return at_work().submit({"source_url": source_url, **fields}, message_id=self.request.id)

    application.task(work, name=WORK, shared=False)
    application.task(process, name=PROCESS, shared=False, bind=True, time_limit=_SUBMIT_LIMIT_S)
