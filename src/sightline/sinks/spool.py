"""Temporary storage that groups a stream of entries by track, whatever their number."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

__all__ = ["TrackSpool"]


class TrackSpool:
    """Entries that come frame by frame and are read back track by track, in bounded memory.

    They lie in an SQLite table sorted by track, so that reading needs no sort. Its file loses its
    name before the first entry: whatever ends the process, nothing is left behind. Errors of
    SQLite come as `OSError`.

    Args:
        folder: Where the file is; it grows to about the size of the entries.
    """

    def __init__(self, folder: Path) -> None:
        handle, name = tempfile.mkstemp(prefix=".tracks-", suffix=".spool", dir=folder)
        os.close(handle)
        try:
            self._database = _open_database(name)
        finally:
            Path(name).unlink()
        self._position = count()

    def add(self, entries: Iterable[tuple[int, str]]) -> None:
        """Append entries, each to its track."""
        rows = [(track_id, next(self._position), entry) for track_id, entry in entries]
        with _errors_of_sqlite():
            self._database.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)

    def read(self) -> Generator[tuple[int, str]]:
        """Yield all entries, tracks in ascending order, within a track as they came."""
        with _errors_of_sqlite():
            yield from self._database.execute(
                "SELECT track_id, entry FROM entries ORDER BY track_id, position"
            )

    def close(self) -> None:
        """Release the file and its space."""
        self._database.close()


def _open_database(name: str) -> sqlite3.Connection:
    """Open for one transaction that is never committed: no journal, no wait for the disk."""
    with _errors_of_sqlite():
        # One thread at a time uses it, though not always the one that opened it.
        database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        database.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA locking_mode = EXCLUSIVE;
            CREATE TABLE entries (
                track_id INTEGER, position INTEGER, entry TEXT, PRIMARY KEY (track_id, position)
            ) WITHOUT ROWID;
            BEGIN;
            """
        )
        return database


@contextmanager
def _errors_of_sqlite() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
