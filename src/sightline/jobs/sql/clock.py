"""The time by which leases are given and end: one clock for all machines of a service."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import text

from sightline.jobs.sql.engines import DatabaseError

if TYPE_CHECKING:
    from sightline.jobs.sql.database import Database

__all__ = ["ServerClock"]

_log = logging.getLogger(__name__)

_EVERY_S = 60.0
_AGAIN_S = 5.0
_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


class ServerClock:
    """Seconds since 1970 by the clock of a PostgreSQL server; any thread may ask.

    The wall clocks of machines differ, and jump: one that is ahead would end the leases of all
    others, and one that is behind would lose its own. So the server is asked once a minute, and
    in between the monotonic clock counts. While the server is away, it counts on.

    Args:
        database: Whose server is asked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = threading.Lock()
        self._ahead_s: float | None = None
        self._due_s = float("-inf")

    def __call__(self) -> float:
        """Tell the time.

        Raises:
            DatabaseError: The server was never asked, and does not answer now.
        """
        if time.monotonic() >= self._due_s and self._asking.acquire(blocking=self._ahead_s is None):
            try:
                self._ask()
            finally:
                self._asking.release()
        assert self._ahead_s is not None, "it was asked, or has raised"
        return time.monotonic() + self._ahead_s

    def _ask(self) -> None:
        before_s = time.monotonic()
        if before_s < self._due_s:  # another thread has asked meanwhile
            return
        try:
            with self._database.ask() as connection:
                before_s = time.monotonic()
                server_s = float(connection.execute(_NOW).scalar_one())
        except DatabaseError as error:
            if self._ahead_s is None:
                raise
            _log.warning("cannot ask for the time: %s", error)
            self._due_s = time.monotonic() + _AGAIN_S
            return
        now_s = time.monotonic()
        self._ahead_s = server_s - (before_s + now_s) / 2
        self._due_s = now_s + _EVERY_S
