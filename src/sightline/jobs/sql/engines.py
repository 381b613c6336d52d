"""Engines for the databases that there may be, SQLite and PostgreSQL, each set up for jobs."""

from __future__ import annotations

import importlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sightline.errors import MissingExtraError, SightlineError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["WAIT_S", "DatabaseError", "StatementTimeoutError", "make_engine", "shown"]

WAIT_S = 60.0
"""How long a transaction waits for another one, or for a connection."""

_CONNECTIONS = 20  # per process; further threads wait
_KEPT = 4  # a server has only so many for all; further ones are closed after use
_CONNECT_TIMEOUT_S = 10
_IDLE_S = 20.0  # in the middle of a transaction; the next statement follows at once
_POSTGRES = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_KNOWN = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}


class DatabaseError(SightlineError, OSError):
    """The database cannot be reached or opened, or is of a version that is not known here."""


class StatementTimeoutError(DatabaseError):
    """The database took longer for a statement than it may, and has given it up."""


def make_engine(url: str, *, statement_timeout_s: float = 0.0) -> Engine:
    """Make the engine of a database; connects to nothing.

    Args:
        url: Of the database.
        statement_timeout_s: What PostgreSQL does not finish within this time, it gives up; 0: it
            may take any time. SQLite knows no such limit.

    Raises:
        DatabaseError: The address makes no sense, or names another kind of database.
        MissingExtraError: The driver is not installed.
    """
    address = _address(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    engine = create_engine(
        address,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        pool_timeout=WAIT_S,
        hide_parameters=True,
        **(_SQLITE if is_sqlite else _OF_POSTGRES),
    )
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", partial(_prepare_postgres, statement_timeout_s))
    return engine


def shown(url: URL) -> str:
    """Write an address without passwords, wherever they stand in it."""
    secret = {name: "..." for name in url.query if "password" in name}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


_SQLITE: dict[str, Any] = {"pool_size": _CONNECTIONS, "max_overflow": 0}
_OF_POSTGRES: dict[str, Any] = {
    "pool_size": _KEPT,
    "max_overflow": _CONNECTIONS - _KEPT,
    "pool_use_lifo": True,
    # What the server has closed is noticed before it is used; all others are then replaced, too.
    "pool_pre_ping": True,
    "connect_args": {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        # A server that vanished without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
        "application_name": "sightline",
    },
}


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            "the address of the database makes no sense; "
            "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    address = address.set(drivername=_POSTGRES.get(address.drivername, address.drivername))
    if address.drivername not in _KNOWN:
        raise DatabaseError(
            f"cannot use the database {shown(address)}: "
            "its address must begin with sqlite:// or postgresql://"
        )
    if address.get_backend_name() == "postgresql":
        try:
            importlib.import_module("psycopg")
        except ImportError:
            raise MissingExtraError.of("a PostgreSQL database", "postgres") from None
    return address


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set up a new connection to SQLite."""
    connection.isolation_level = None  # transactions begin as said below, not as Python guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {WAIT_S * 1000:.0f}")
    cursor.execute("PRAGMA foreign_keys = ON")
    # Commits outlive the process, but the last ones not a loss of power: work is then done again.
    cursor.execute("PRAGMA synchronous = NORMAL")
    # What is deleted is overwritten, so that nothing of it stays in the file.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that writes must say so when it begins: one that has read an older state would
    # fail at once ("database is locked"), no matter how long it is ready to wait.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare_postgres(statement_timeout_s: float, connection: Any, _record: object) -> None:
    """Set up a new connection to PostgreSQL."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        # As for SQLite; transactions that must outlive more say so. Set once per connection, it
        # saves each of the many others a round trip.
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(f"SET lock_timeout = {WAIT_S * 1000:.0f}")
        # A machine that vanishes in the middle of a transaction must not hold a job for hours.
        cursor.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_S * 1000:.0f}")
        if statement_timeout_s:
            cursor.execute(f"SET statement_timeout = {math.ceil(statement_timeout_s * 1000)}")
    connection.autocommit = False
