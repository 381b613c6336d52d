"""Who did what, when: rows that are only ever added, without secrets and without addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import uuid_utils
from sqlalchemy import insert, select

from sightline.jobs.sql import schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from sightline.jobs.sql.database import Database

__all__ = ["Action", "AuditEntry", "AuditLog", "record_in"]


class Action(StrEnum):
    """What is recorded."""

    SUBMIT = "job.submit"
    CANCEL = "job.cancel"
    RETRY = "job.retry"
    DELETE = "job.delete"
    CREATE_KEY = "key.create"
    REVOKE_KEY = "key.revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done.

    Attributes:
        at: Seconds since 1970.
        owner: Id of the owner who did it; "" for the local user and the command line.
        action: What.
        object: Id of the job or key.
        detail: Further plain values, such as the name of a pipeline; nothing secret.
    """

    at: float
    owner: str
    action: Action
    object: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    """Keeps the entries.

    Args:
        database: Has the table.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: AuditEntry) -> None:
        """Add an entry."""
        with self._database.write() as connection:
            record_in(connection, entry)

    def list(self, *, limit: int = 100, before_s: float | None = None) -> Sequence[AuditEntry]:
        """List entries, the newest first.

        Args:
            limit: At most so many.
            before_s: Only older ones than this time; None: from the newest.
        """
        table = schema.audit
        query = select(table).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
        if before_s is not None:
            query = query.where(table.c.at < before_s)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query).all()]


def record_in(connection: Connection, entry: AuditEntry) -> None:
    """Add an entry in the transaction that does what it tells of."""
    row = {
        "id": str(uuid_utils.uuid7()),
        "at": entry.at,
        "owner": entry.owner,
        "action": entry.action,
        "object": entry.object,
        "detail": dict(entry.detail),
    }
    connection.execute(insert(schema.audit).values(row))


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        owner=row.owner,
        action=Action(row.action),
        object=row.object,
        detail=row.detail,
    )
