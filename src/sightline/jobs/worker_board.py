"""Where workers on other machines say that they are there, so that they can be counted and listed.

Nothing depends on it: who is not on the board may work all the same, and whose card is there may
have died a moment ago.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from sightline.jobs.sql import schema
from sightline.jobs.states import Queue

if TYPE_CHECKING:
    from sightline.jobs.sql.database import Database

__all__ = ["WorkerBoard", "WorkerCard"]

_FRESH_S = 30.0
_KEEP_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCard:
    """What a worker says of itself.

    Attributes:
        name: Unique to one life of one worker; its processes' names on leases begin with it.
        host: Name of its machine.
        pid: Its main process there.
        queues: What it serves.
        slots: How many tasks it can do at a time, now.
        busy: How many it does.
        lost: How many of its processes died with a task, and were replaced.
        started_at: When it began, in seconds since 1970.
        seen_at: When it said this.
    """

    name: str
    host: str
    pid: int
    queues: tuple[Queue, ...]
    slots: int
    busy: int
    lost: int
    started_at: float
    seen_at: float


class WorkerBoard:
    """The cards of workers, in a database whose tables are up to date.

    Args:
        database: Of the service; it stays open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def post(self, card: WorkerCard) -> None:
        """Put a card up, in place of the worker's last one."""
        values = {**asdict(card), "queues": [queue.value for queue in card.queues]}
        workers = schema.workers
        with self._database.write() as connection:
            changed = connection.execute(
                update(workers).where(workers.c.name == card.name).values(values)
            )
            if not changed.rowcount:
                connection.execute(insert(workers).values(values))

    def remove(self, name: str) -> None:
        """Take the card of a worker away that ends; does nothing if there is none."""
        with self._database.write() as connection:
            connection.execute(delete(schema.workers).where(schema.workers.c.name == name))

    def cards(self, now_s: float) -> tuple[WorkerCard, ...]:
        """List the workers that were heard of in the last half minute, by name."""
        workers = schema.workers
        fresh = select(workers).where(workers.c.seen_at > now_s - _FRESH_S).order_by(workers.c.name)
        with self._database.read() as connection:
            rows = [dict(row._mapping) for row in connection.execute(fresh)]  # noqa: SLF001
        return tuple(
            WorkerCard(**{**row, "queues": tuple(Queue(name) for name in row["queues"])})
            for row in rows
        )

    def sweep(self, now_s: float) -> None:
        """Remove the cards of workers that have not been heard of for long."""
        with self._database.write() as connection:
            connection.execute(
                delete(schema.workers).where(schema.workers.c.seen_at < now_s - _KEEP_S)
            )
