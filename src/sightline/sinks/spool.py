"""Temporary storage that groups a stream of entries by track, whatever their number."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["TrackSpool"]

_MOST_RECENT = 4096
"""Entries kept in memory: SQLite takes a row of many as quickly as a row of one."""


class TrackSpool:
    """Entries that come frame by frame and are read back track by track, in bounded memory.

    The most recent ones are in memory, the others in an SQLite table sorted by track, so that
    reading needs no sort. Its file loses its name before the first entry: whatever ends the
    process, nothing is left behind. Errors of SQLite come as `OSError`.

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
        self._recent: defaultdict[int, list[str]] = defaultdict(list)
        self._added = 0

    def add(self, track_id: int, entry: str) -> None:
        """Append an entry to its track."""
        self._recent[track_id].append(entry)
        self._added += 1
        if self._added % _MOST_RECENT == 0:
            self._store()

    def _store(self) -> None:
        """Move what is in memory to the table: a row per track."""
        rows = [(i, self._added, ",".join(entries)) for i, entries in self._recent.items()]
        with _errors_of_sqlite():
            self._database.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        self._recent.clear()

    def read(self) -> Generator[tuple[int, str]]:
        """Yield all entries, tracks in ascending order, within a track as they came.

        What is yielded are ids of tracks and some of their entries at a time, joined by commas.
        """
        self._store()
        with _errors_of_sqlite():
            yield from self._database.execute(
                "SELECT track_id, text FROM entries ORDER BY track_id, position"
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
                track_id INTEGER, position INTEGER, text TEXT, PRIMARY KEY (track_id, position)
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
