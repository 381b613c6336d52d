"""Options that say where the parts of a job service are: its folder, database, and broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sightline.cli.parameters import byte_count
from sightline.cli.service_extra import needs_service_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.broker.options import BrokerOptions
    from sightline.settings import Settings

__all__ = ["PLACES", "broker_of", "database_options", "place_options"]

PLACES = ("data_dir", "database_url", "broker_url", "artifacts_url")
"""The settings that `place_options` gives a command."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_data = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Database, videos and results, as far as they are nowhere else. "
    "[SIGHTLINE_DATA_DIR, or the user's data folder]",
)
_database = click.option(
    "--database",
    "database_url",
    metavar="URL",
    help="Database: postgresql://…; needs the extra `postgres`. "
    "[SIGHTLINE_DATABASE_URL, or SQLite in the data folder]",
)
_broker = click.option(
    "--broker",
    "broker_url",
    metavar="URL",
    help="Broker that wakes workers: redis://… or amqp://…; needs the extra `celery`. "
    "[SIGHTLINE_BROKER_URL]",
)
_artifacts = click.option(
    "--artifacts",
    "artifacts_url",
    metavar="URL",
    help="Store of videos and results in place of the folder, such as s3://bucket/prefix; needs "
    "the extra `s3`. [SIGHTLINE_ARTIFACTS_URL]",
)
_cache = click.option(
    "--cache",
    "cache_bytes",
    type=byte_count,
    default="50G",
    show_default=True,
    metavar="SIZE",
    help="Room in the folder for copies of what is in such a store.",
)


def database_options(command: _Command) -> _Command:
    """Give a command `--data` and `--database`."""
    return _data(_database(command))


def place_options(command: _Command) -> _Command:
    """Give a command `--data`, `--database`, `--broker`, `--artifacts` and `--cache`."""
    return database_options(_broker(_artifacts(_cache(command))))


def broker_of(settings: Settings, **options: Any) -> BrokerOptions | None:
    """Read how to reach the broker; None if there is to be none.

    Raises:
        MissingExtraError: The extra `celery` is not installed.
        BrokerError: The address is none of a broker.
    """
    if settings.broker_url is None:
        return None
    with needs_service_extra("A broker", "celery"):
        import celery  # noqa: F401 - it is there

        from sightline.broker.options import BrokerOptions
    return BrokerOptions(url=settings.broker_url, **options)
