"""Messages that wake workers: how many wait in the broker, and more of them where too few do.

A wake-up that comes in vain costs a worker a look into the store. One that is missing leaves a task
lying; so tasks that are ready are counted against messages that wait, again and again, and what is
missing is sent. Nothing else has to go right: not the broker's memory, nor anybody's last words.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from sightline.broker.application import WORK
from sightline.broker.options import BrokerError
from sightline.errors import SightlineError
from sightline.jobs.states import Queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from celery import Celery
    from kombu.connection import Connection

    from sightline.jobs.store import JobStore

__all__ = ["BrokerAwayError", "WakeUps"]


class BrokerAwayError(SightlineError, OSError):
    """The broker does not answer; what was to be sent will be found missing later."""


class WakeUps:
    """Sends wake-ups for the tasks of a store; safe to use by one thread at a time.

    Args:
        application: Whose broker it is.
        store: Where tasks become ready.
    """

    def __init__(self, application: Celery, store: JobStore) -> None:
        self._application = application
        self._store = store

    def waiting(self, queues: Iterable[Queue] = Queue) -> dict[Queue, int]:
        """Count the messages in the broker that no worker has taken yet.

        Raises:
            BrokerAwayError: It does not answer.
        """
        with self._connection() as connection:
            return {queue: self._count(connection, queue) for queue in queues}

    def top_up(self, queues: Iterable[Queue] = Queue) -> int:
        """Send as many wake-ups as there are ready tasks without one; return how many.

        Raises:
            BrokerAwayError: The broker does not answer.
            SightlineError, OSError: The store does not answer.
        """
        ready = self._ready(queues)
        if not ready:
            return 0
        sent = 0
        with self._connection() as connection:
            for queue, tasks in ready.items():
                missing = tasks - self._count(connection, queue)
                self._send(connection, queue, missing)
                sent += max(0, missing)
        return sent

    def send(self, queue: Queue, number: int) -> None:
        """Send wake-ups for a queue, whether there are tasks or not.

        Raises:
            BrokerAwayError: The broker does not answer.
        """
        with self._connection() as connection:
            self._send(connection, queue, number)

    def _ready(self, queues: Iterable[Queue]) -> Counter[Queue]:
        wanted, ready = frozenset(queues), Counter[Queue]()
        for group, number in self._store.outstanding().items():
            if group.state == "ready" and group.queue in wanted and number:
                ready[group.queue] += number
        return ready

    def _count(self, connection: Connection, queue: Queue) -> int:
        declared = self._application.amqp.queues[queue](connection.default_channel)
        # Declared anew each time: a server that has lost its memory has lost its queues, too.
        return int(declared.queue_declare().message_count)

    def _send(self, connection: Connection, queue: Queue, number: int) -> None:
        if number <= 0:
            return
        task = self._application.tasks[WORK]
        with self._application.amqp.Producer(connection) as producer:
            for _ in range(number):
                task.apply_async(
                    args=[queue.value], queue=queue.value, producer=producer, retry=False
                )

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Give a connection for a moment, and one error for all that can go wrong with it."""
        try:
            connection = self._application.connection_for_write()
        except (KeyError, ValueError) as error:
            raise BrokerError(f"cannot use the broker: {error}") from error
        away = (
            OSError,
            OperationalError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        try:
            with connection:
                yield connection
        except away as error:
            if isinstance(error, SightlineError):
                raise
            raise BrokerAwayError(f"the broker does not answer: {error}") from error
