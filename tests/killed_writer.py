"""The index of results as a final pass leaves it that is killed while it writes."""

import shutil
import sqlite3
from contextlib import closing


def break_off(path):
    """Leave the journal of a commit beside an index, without whoever would end the commit."""
    journal = path.with_name(f"{path.name}-journal")
    kept = path.with_name("kept")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA synchronous = OFF")  # as `IndexFile` does
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO classes VALUES (1, 1, 'car')")
        shutil.copy(journal, kept)
        writer.execute("ROLLBACK")
    kept.rename(journal)
