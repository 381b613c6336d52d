"""The keys that clients prove themselves with; of a key's secret, the database holds a hash alone.

A secret has 256 random bits, so that its hash needs neither salt nor slowness to be of no use to
whoever reads the database.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uuid_utils
from sqlalchemy import insert, select, update

from sightline.errors import SightlineError
from sightline.jobs.sql import schema
from sightline.service.audit import Action, AuditEntry, record_in
from sightline.service.owner import KeyLimits, Owner, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from sightline.jobs.sql.database import Database

__all__ = ["Key", "KeyStore", "NewKey", "UnknownKeyError"]

_PREFIX = "sl_"
_SECRET_BYTES = 32
_USE_NOTED_EVERY_S = 60.0


class UnknownKeyError(SightlineError, KeyError):
    """There is no key of that id."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept, without its secret.

    Attributes:
        owner: Whom it stands for; `owner.id` is the id of the key.
        created_at: Seconds since 1970.
        revoked_at: When it ceased to be valid; None: it is.
        last_used_at: To the minute; None: never.
    """

    owner: Owner
    created_at: float
    revoked_at: float | None = None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key with its secret, which cannot be had a second time.

    Attributes:
        key: As it is kept.
        secret: What the client shows.
    """

    key: Key
    secret: str = dataclasses.field(repr=False)


class KeyStore:
    """Keeps keys; each method is one transaction.

    Args:
        database: Has the table.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        scopes: Iterable[Scope],
        limits: KeyLimits | None = None,
        now_s: float,
    ) -> NewKey:
        """Make a key.

        Raises:
            ValueError: The name is empty, or there is no scope.
        """
        scopes = frozenset(scopes)
        if not name.strip() or not scopes:
            raise ValueError("a key needs a name and at least one scope")
        limits = limits or KeyLimits()
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        owner = Owner(id=str(uuid_utils.uuid7()), name=name, scopes=scopes, limits=limits)
        row = {
            "id": owner.id,
            "name": name,
            "hash": _hash(secret),
            "scopes": sorted(scopes),
            "limits": dataclasses.asdict(limits),
            "created_at": now_s,
        }
        with self._database.write(durable=True) as connection:
            connection.execute(insert(schema.keys).values(row))
            _record(connection, Action.CREATE_KEY, owner.id, {"name": name}, at=now_s)
        return NewKey(key=Key(owner=owner, created_at=now_s), secret=secret)

    def list(self) -> Sequence[Key]:
        """List all keys, the oldest first, revoked ones included."""
        with self._database.read() as connection:
            rows = connection.execute(select(schema.keys).order_by(schema.keys.c.id)).all()
        return [_key(row) for row in rows]

    def revoke(self, key_id: str, *, now_s: float) -> None:
        """Let a key be valid no longer, within a second; what it owns stays.

        Raises:
            UnknownKeyError: There is no such key.
        """
        with self._database.write(durable=True) as connection:
            this = select(schema.keys).where(schema.keys.c.id == key_id)
            row = connection.execute(this.with_for_update()).first()
            if row is None:
                raise UnknownKeyError(f"no key {key_id!r}; 'sightline keys list' shows all")
            if row.revoked_at is None:
                connection.execute(
                    update(schema.keys).where(schema.keys.c.id == key_id).values(revoked_at=now_s)
                )
                _record(connection, Action.REVOKE_KEY, key_id, {"name": row.name}, at=now_s)

    def find(self, secret: str, *, now_s: float) -> Key | None:
        """Give the key with this secret, and note its use; None: there is none, or it is revoked.

        It is looked up by its hash, of which who tries secrets cannot choose a beginning; so the
        time that it takes tells nothing.
        """
        digest = _hash(secret)
        row = self._first(schema.keys.c.hash == digest)
        if row is None or not hmac.compare_digest(row.hash, digest):
            return None
        if row.last_used_at is None or now_s - row.last_used_at >= _USE_NOTED_EVERY_S:
            with self._database.write() as connection:
                connection.execute(
                    update(schema.keys).where(schema.keys.c.id == row.id).values(last_used_at=now_s)
                )
        return _key(row)

    def get_active(self, key_id: str) -> Key | None:
        """Give a key; None: there is none, or it is revoked."""
        row = self._first(schema.keys.c.id == key_id)
        return None if row is None else _key(row)

    def active(self, key_ids: Iterable[str]) -> set[str]:
        """Tell which of these keys there are that are not revoked."""
        keys = schema.keys
        query = select(keys.c.id).where(keys.c.id.in_(list(key_ids)), keys.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def any_active(self) -> bool:
        """Tell whether there is a key that is not revoked."""
        return self._first(schema.keys.c.id != "") is not None

    def any_ever(self) -> bool:
        """Tell whether there is a key, or was one."""
        with self._database.read() as connection:
            return connection.execute(select(schema.keys.c.id).limit(1)).first() is not None

    def _first(self, condition: ColumnElement[bool]) -> Row[Any] | None:
        """Give a row that is not revoked."""
        query = select(schema.keys).where(condition, schema.keys.c.revoked_at.is_(None)).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first()


def _record(
    connection: Connection, action: Action, key_id: str, detail: Mapping[str, str], *, at: float
) -> None:
    record_in(connection, AuditEntry(at=at, owner="", action=action, object=key_id, detail=detail))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Row[Any]) -> Key:
    owner = Owner(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        limits=KeyLimits(**row.limits),
    )
    return Key(
        owner=owner,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
