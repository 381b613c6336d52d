"""The connection to the database: transactions, and bringing its tables up to date.

SQLite is used by many threads and processes at once: readers never wait (write-ahead log), and
writers wait for each other at the beginning of a transaction, so that none fails half-way.
PostgreSQL has many writers at a time; see `sql.locks` for what they hold against each other.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Self

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sightline.jobs.sql.clock import ServerClock
from sightline.jobs.sql.engines import DatabaseError, StatementTimeoutError, make_engine, shown
from sightline.jobs.sql.locks import hold_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = ["Database", "DatabaseError", "database_in", "database_url"]

_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""The database cannot be reached, has closed the connection, or cannot do it at the moment."""
_TOOK_TOO_LONG = ("57014", "55P03")
"""PostgreSQL has given up a statement, or its waiting for a lock; the connection is as before."""


class Database:
    """A database; safe to use by all threads of a process, not to be taken across a fork.

    What it cannot do at the moment raises `DatabaseError`, and may be tried again later.

    Args:
        url: Such as `sqlite:////var/lib/sightline/jobs.sqlite`, or
            `postgresql://user:password@host/name`.
        statement_timeout_s: What PostgreSQL does not finish within this time, it gives up; 0: it
            may take any time, as migrations always may.

    Attributes:
        url: The same, as SQLAlchemy writes it, without the password.
        clock: Tells the time, in seconds since 1970, alike on all machines that use the database;
            raises `DatabaseError` if a server has never been asked, and is away.

    Raises:
        DatabaseError: The address makes no sense, or names another kind of database.
        MissingExtraError: The driver is not installed.
    """

    def __init__(self, url: str, *, statement_timeout_s: float = 0.0) -> None:
        self._engine = make_engine(url, statement_timeout_s=statement_timeout_s)
        self.url = shown(self._engine.url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self.clock: Callable[[], float] = time.time if self._is_sqlite else ServerClock(self)
        # SQLite has one writer at a time. Those of one process queue up here: SQLite itself would
        # let them sleep and try again, up to 100 ms each time.
        self._writing: AbstractContextManager[object] = (
            threading.Lock() if self._is_sqlite else nullcontext()
        )
        self._observer: sqlite3.Connection | None = None
        self._reader = self._asker = self._engine
        if not self._is_sqlite:
            # Without the two more round trips of a transaction.
            self._asker = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._reader = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a transaction that sees one state of the database, and must not write."""
        with self._explained(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Give a connection for a statement that writes nothing: the cheapest way to ask often."""
        with self._explained(), self._asker.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """Give a transaction that may write; it is undone if an exception leaves the block.

        Args:
            durable: Return only when it would outlive a loss of power, not just of the process.
        """
        with self._explained(), self._writing, self._engine.connect() as connection:
            connection.execution_options(immediate=True)
            with self._synced(connection, durable=durable), connection.begin():
                if durable and not self._is_sqlite:
                    connection.execute(text("SET LOCAL synchronous_commit = on"))
                yield connection

    @contextmanager
    def _synced(self, connection: Connection, *, durable: bool) -> Iterator[None]:
        if not (durable and self._is_sqlite):
            yield
            return
        driver = connection.connection.cursor()
        driver.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            driver.execute("PRAGMA synchronous = NORMAL")
            driver.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in one line why the database cannot be used."""
        try:
            yield
        except _AWAY as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> DatabaseError:
        origin = getattr(error, "orig", None) or error
        cause = " ".join(str(origin).split())
        is_slow = getattr(origin, "sqlstate", None) in _TOOK_TOO_LONG
        kind = StatementTimeoutError if is_slow else DatabaseError
        return kind(f"cannot use the database {self.url}: {cause}")

    def change_count(self) -> int | None:
        """Give a number that is another one when anybody has committed anything since the last.

        SQLite tells it without looking at any table; PostgreSQL cannot, which is None. To be called
        by one thread, as it keeps a connection.
        """
        path = self._engine.url.database
        if not self._is_sqlite or not path:
            return None
        try:
            if self._observer is None:
                self._observer = sqlite3.connect(
                    path, timeout=0, isolation_level=None, check_same_thread=False
                )
            (count,) = self._observer.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None
        return int(count)

    def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date.

        Any number of processes may do so at the same time.

        Raises:
            DatabaseError: The database cannot be opened, or was made by a newer version.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", "sightline.jobs.sql:migrations")
        try:
            if self._is_sqlite:
                self._use_write_ahead_log()
            with self.write(durable=True) as connection:
                if not self._is_sqlite:
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                hold_name(connection, "sightline", "migration")
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise self._error(error) from error

    def _use_write_ahead_log(self) -> None:
        """Switch once and for all; the file remembers it."""
        with self._explained(), self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA journal_mode = WAL").close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def abandon(self) -> None:
        """Forget all connections without a word to the server; for a process after its fork."""
        self._engine.dispose(close=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def database_in(folder: Path) -> Database:
    """Give the SQLite database of a data folder, which must be there."""
    return Database(database_url(None, folder))


def database_url(url: str | None, folder: Path) -> str:
    """Say where the database of a service is: where an operator says, or in its data folder."""
    return url or f"sqlite:///{folder.absolute() / 'jobs.sqlite'}"
