"""What commands need to run a service themselves, rather than to talk to one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sightline.errors import MissingExtraError, OutputError
from sightline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.jobs.sql.database import Database

__all__ = ["make_folder", "needs_service_extra", "open_database", "settings_with"]


@contextmanager
def needs_service_extra(feature: str = "The job service", extra: str = "service") -> Iterator[None]:
    """Say which extra to install, where an import fails because of it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sightline"):
            raise
        raise MissingExtraError.of(feature, extra) from error


def settings_with(**given: Any) -> Settings:
    """Read the environment; what was given on the command line comes first.

    Args:
        given: Settings by name; those that are None or empty were not given.
    """
    from dataclasses import replace

    settings = Settings.from_environment(os.environ)
    return replace(settings, **{name: value for name, value in given.items() if value})


def make_folder(folder: Path) -> None:
    """Make a data folder, for its owner alone; one that is there stays as it is.

    Raises:
        OutputError: It cannot be made or written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the data folder {folder}: {error.strerror or error}; "
            "choose another with --data"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write to the data folder {folder}; choose another with --data")


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database of a service, which may be running; bring its tables up to date.

    Raises:
        MissingExtraError: An extra is not installed.
        OutputError: The data folder cannot be made or written to.
        DatabaseError: The database cannot be used.
    """
    with needs_service_extra():
        from sightline.jobs.sql.database import Database, database_url

    make_folder(settings.data_dir)
    with Database(database_url(settings.database_url, settings.data_dir)) as database:
        database.migrate()
        yield database
