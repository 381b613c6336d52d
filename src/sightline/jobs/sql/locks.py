"""What transactions hold against each other where a database has many writers at a time.

SQLite has one; there, all of this does nothing. On PostgreSQL each statement sees what is committed
when it begins, so that who changes what it has read must hold it from before it reads. Of jobs, a
transaction holds one, and takes it before anything of it: no two can wait for each other.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import func, select

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["hold_name", "writes_alone"]


def writes_alone(connection: Connection) -> bool:
    """Say whether nobody else can write before a transaction that writes has ended."""
    return connection.dialect.name == "sqlite"


def hold_name(connection: Connection, *name: str) -> None:
    """Hold a name to the end of the transaction, so that no other one does at the same time."""
    if writes_alone(connection):
        return
    digest = hashlib.sha256("\0".join(name).encode()).digest()
    number = int.from_bytes(digest[:8], signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(number)))
