"""`sightline keys`: the keys of a job service, in its data folder."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.parameters import byte_count
from sightline.cli.places import database_options
from sightline.cli.service_extra import needs_service_extra, open_database, settings_with
from sightline.cli.table import columns

if TYPE_CHECKING:
    from sightline.service.keys import Key

__all__ = ["command"]

_SCOPES = ("jobs:read", "jobs:write", "metrics:read", "admin")


@click.group("keys")
def command() -> None:
    """Make, list and revoke the keys of a job service.

    A service takes note of changes within a second, and need not be started again.
    """


@command.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    help="What the key allows; repeatable; admin: everything, and everybody's jobs. "
    "[jobs:read and jobs:write]",
)
@click.option(
    "--max-jobs",
    "active_jobs",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="N",
    help="Jobs that may be unfinished at a time.",
)
@click.option(
    "--max-per-minute",
    "submissions_per_minute",
    type=click.IntRange(1),
    default=120,
    show_default=True,
    metavar="N",
    help="Jobs submitted or retried in a minute.",
)
@click.option(
    "--max-uploads",
    "upload_bytes",
    type=byte_count,
    default="50G",
    show_default=True,
    metavar="SIZE",
    help="Uploads that no job has taken yet, all together.",
)
@click.option(
    "--max-hours-per-day",
    "hours_per_day",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Hours of video within 24 hours. [any]",
)
@database_options
def create(*, name: str, scopes: tuple[str, ...], **given: Any) -> None:
    """Make a key for NAME and print it; it cannot be shown again."""
    if not name.strip():
        raise click.UsageError("NAME must not be empty.")
    with needs_service_extra():
        from sightline.service.keys import KeyStore
        from sightline.service.owner import KeyLimits, Scope

    hours = given.pop("hours_per_day")
    place = {name: given.pop(name) for name in ("data_dir", "database_url")}
    with open_database(settings_with(**place)) as database:
        made = KeyStore(database).create(
            name,
            scopes=map(Scope, scopes or _SCOPES[:2]),
            limits=KeyLimits(**given, video_s_per_day=None if hours is None else hours * 3600),
            now_s=time.time(),
        )
    click.echo(f"Key {made.key.owner.id} of {name}, shown this once:", err=True)
    click.echo(made.secret)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print keys as lines of JSON.")
@database_options
def list_keys(*, as_json: bool, **place: Any) -> None:
    """List all keys, those that are revoked included."""
    with needs_service_extra():
        from sightline.service.keys import KeyStore

    with open_database(settings_with(**place)) as database:
        rows = [_row(key) for key in KeyStore(database).list()]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    elif rows:
        shown = [[_shown(value) for value in row.values()] for row in rows]
        click.echo(columns([[name.replace("_", " ") for name in rows[0]], *shown]))


@command.command()
@click.argument("key_ids", metavar="ID...", nargs=-1, required=True)
@database_options
def revoke(*, key_ids: tuple[str, ...], **place: Any) -> None:
    """Let each key ID be valid no longer; the jobs of its owner stay."""
    with needs_service_extra():
        from sightline.service.keys import KeyStore

    with open_database(settings_with(**place)) as database:
        for key_id in key_ids:
            KeyStore(database).revoke(key_id, now_s=time.time())


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.owner.id,
        "name": key.owner.name,
        "scopes": sorted(key.owner.scopes),
        "created": _time(key.created_at),
        "last_used": _time(key.last_used_at),
        "revoked": _time(key.revoked_at),
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, list) else str(value)
