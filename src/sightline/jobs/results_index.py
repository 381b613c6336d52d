"""The index of a job's results: a SQLite file that grows while the final pass runs.

    frames      a row per frame                      seq
    detections  a row per object of a frame          seq << 20 | row
    tracks      a row per track, kept up to date     track id
    classes     what `class` in the others refers to
    tenths, tallies   frames and objects by class, per tenth of a second

The number of a detection holds the frame's and its place in the frame, so that it needs no index
to be found by time. What it does not know is how results are read; see `results`.

The journal is a rollback journal, deleted after every commit, rather than a write-ahead log: the
file moves with its folder, even under the eyes of readers, and in the end it stands alone.
"""

from __future__ import annotations

import errno
import math
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.detections import UNTRACKED
from sightline.errors import OutputError
from sightline.sinks.values import objects_of, time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from sightline.frame import Frame
    from sightline.sinks.values import ObjectValues
    from sightline.stream import StreamInfo

__all__ = ["FORMAT_VERSION", "ROW_BITS", "TENTHS_PER_S", "IndexFile"]

FORMAT_VERSION = 1
ROW_BITS = 20
TENTHS_PER_S = 10

_COMMIT_EVERY_S = 0.5
_MOST_ROWS = 10_000
"""So many detections wait for the next commit at most, which bounds memory."""
_BUSY_S = 30.0
"""A commit waits so long for readers, each of which takes milliseconds."""

_SCHEMA = f"""
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE classes (
    key INTEGER PRIMARY KEY, class_id INTEGER NOT NULL, name TEXT NOT NULL
);
CREATE TABLE frames (
    seq INTEGER PRIMARY KEY, pts INTEGER NOT NULL, time_s REAL NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, objects INTEGER NOT NULL
);
CREATE INDEX frames_by_time ON frames (time_s);
CREATE TABLE detections (
    id INTEGER PRIMARY KEY,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    confidence REAL NOT NULL, class INTEGER NOT NULL, track_id INTEGER
);
CREATE INDEX detections_by_class ON detections (class);
CREATE INDEX detections_by_track ON detections (track_id) WHERE track_id IS NOT NULL;
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY, class INTEGER NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    first_s REAL NOT NULL, last_s REAL NOT NULL,
    frames INTEGER NOT NULL, confidence_sum REAL NOT NULL, confidence_max REAL NOT NULL,
    first_x1 REAL NOT NULL, first_y1 REAL NOT NULL, first_x2 REAL NOT NULL, first_y2 REAL NOT NULL,
    last_x1 REAL NOT NULL, last_y1 REAL NOT NULL, last_x2 REAL NOT NULL, last_y2 REAL NOT NULL
);
CREATE INDEX tracks_by_class ON tracks (class);
CREATE TABLE tenths (tenth INTEGER PRIMARY KEY, frames INTEGER NOT NULL);
CREATE TABLE tallies (
    tenth INTEGER NOT NULL, class INTEGER NOT NULL,
    objects INTEGER NOT NULL, most INTEGER NOT NULL, PRIMARY KEY (tenth, class)
) WITHOUT ROWID;
"""

_ADD_CLASS = "INSERT INTO classes VALUES (?, ?, ?)"
_ADD_FRAME = "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?)"
_ADD_DETECTION = "INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_TO_TRACK = f"""
INSERT INTO tracks VALUES ({", ".join("?" * 17)})
ON CONFLICT (id) DO UPDATE SET
    last_seq = excluded.last_seq, last_s = excluded.last_s, frames = frames + excluded.frames,
    confidence_sum = confidence_sum + excluded.confidence_sum,
    confidence_max = max(confidence_max, excluded.confidence_max),
    last_x1 = excluded.last_x1, last_y1 = excluded.last_y1,
    last_x2 = excluded.last_x2, last_y2 = excluded.last_y2
"""  # noqa: S608 - a constant
_ADD_TO_TENTH = """
INSERT INTO tenths VALUES (?, ?) ON CONFLICT (tenth) DO UPDATE SET frames = frames + excluded.frames
"""
_ADD_TO_TALLY = """
INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT (tenth, class) DO UPDATE SET
    objects = objects + excluded.objects, most = max(most, excluded.most)
"""


class IndexFile:
    """A sink that writes the index; other processes may read it from `open()` on.

    Values are rounded as in the text formats. Frames become visible about half a second after
    they were written, if more follow or `flush()` is called. Unlike other sinks' files, this one
    lies under its own name at once: it is the folder of the results that is moved when complete.
    A track's class is the one that its object had when it was first seen.

    Args:
        path: The file to write; one that is there is replaced.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._batch = _Batch()

    def open(self, stream: StreamInfo) -> None:  # noqa: ARG002 - one interface
        """Create the parent folders and the empty index.

        Raises:
            OutputError: The file cannot be written.
        """
        if self._database is not None:
            raise RuntimeError(f"IndexFile of {self.path} is open already")
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._remove()
            # The lock lets any thread write and flush, one at a time.
            database = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._database = database
            # After a crash of the machine the whole pass is done again.
            database.execute("PRAGMA synchronous = OFF")
            database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        self._batch = _Batch()

    def write(self, frame: Frame) -> None:
        """Add a frame.

        Raises:
            OutputError: The file cannot be written, or cannot express the frame.
        """
        objects = objects_of(frame)
        if len(objects) >> ROW_BITS:
            raise OutputError(f"frame {frame.seq} has {len(objects)} objects, which are too many")
        with self._lock:
            self._batch.add(frame, objects)
            if self._batch.is_due:
                self._commit()

    def flush(self) -> None:
        """Make what was written visible to readers; for any thread.

        Raises:
            OutputError: The file cannot be written.
        """
        with self._lock:
            self._commit()

    def close(self) -> None:
        """Complete the file; does nothing if not open.

        Raises:
            OutputError: The file cannot be completed; what was committed before remains.
        """
        with self._lock:
            try:
                self._commit()
            finally:
                self._disconnect()

    def discard(self) -> None:
        """Remove the file; does nothing if not open."""
        with self._lock:
            if self._database is not None:
                self._disconnect()
                self._remove()

    def _commit(self) -> None:
        batch, database = self._batch, self._database
        if database is None or batch.is_empty:
            return
        with self._explained():
            database.execute("BEGIN IMMEDIATE")
            try:
                batch.store(database)
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # it may have been rolled back already
                    database.execute("ROLLBACK")
                raise
        batch.clear()

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _remove(self) -> None:
        for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            cause = OSError(errno.ENOSPC, "no space left on device") if full else error
            raise OutputError(f"cannot write {self.path}: {error}") from cause
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error


class _Batch:
    """What the next commit adds; sums and last values, so that memory does not grow with time."""

    def __init__(self) -> None:
        self._class_keys: dict[tuple[int, str], int] = {}
        self.clear()

    def clear(self) -> None:
        self._since_s = time.monotonic()
        self._new_classes: list[tuple[int, int, str]] = []
        self._frames: list[tuple[Any, ...]] = []
        self._detections: list[tuple[Any, ...]] = []
        self._tracks: dict[int, list[Any]] = {}
        self._tenths: dict[int, int] = {}
        self._tallies: dict[tuple[int, int], tuple[int, int]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._frames

    @property
    def is_due(self) -> bool:
        return (
            time.monotonic() - self._since_s >= _COMMIT_EVERY_S
            or len(self._frames) + len(self._detections) >= _MOST_ROWS
        )

    def add(self, frame: Frame, objects: Sequence[ObjectValues]) -> None:
        time_s = time_of(frame)
        number = frame.seq << ROW_BITS
        counts: dict[int, int] = {}
        for xyxy, confidence, class_id, class_name, track_id in objects:
            key = self._class_keys.get((class_id, class_name)) or self._learn(class_id, class_name)
            counts[key] = counts.get(key, 0) + 1
            track = None if track_id == UNTRACKED else track_id
            self._detections.append((number, *xyxy, confidence, key, track))
            number += 1
            if track is not None:
                self._add_to_track(track, (key, frame.seq, time_s, xyxy, confidence))
        size = (frame.width, frame.height)
        self._frames.append((frame.seq, frame.pts, time_s, *size, len(objects)))
        self._tally(math.floor(time_s * TENTHS_PER_S), counts)

    def _learn(self, class_id: int, name: str) -> int:
        key = self._class_keys[class_id, name] = len(self._class_keys) + 1
        # A name that came out of a file may hold what is no UTF-8; text formats escape it, too.
        self._new_classes.append((key, class_id, name.encode(errors="backslashreplace").decode()))
        return key

    def _add_to_track(
        self, track_id: int, seen: tuple[int, int, float, list[float], float]
    ) -> None:
        key, seq, time_s, xyxy, confidence = seen
        row = self._tracks.get(track_id)
        if row is None:
            first = [track_id, key, seq, seq, time_s, time_s, 1, confidence, confidence]
            self._tracks[track_id] = [*first, *xyxy, *xyxy]
            return
        row[3] = seq
        row[5] = time_s
        row[6] += 1
        row[7] += confidence
        row[8] = max(row[8], confidence)
        row[13:] = xyxy

    def _tally(self, tenth: int, counts: dict[int, int]) -> None:
        self._tenths[tenth] = self._tenths.get(tenth, 0) + 1
        for key, count in counts.items():
            objects, most = self._tallies.get((tenth, key), (0, 0))
            self._tallies[tenth, key] = (objects + count, max(most, count))

    def store(self, database: sqlite3.Connection) -> None:
        """Write everything, within the transaction that is open."""
        database.executemany(_ADD_CLASS, self._new_classes)
        database.executemany(_ADD_FRAME, self._frames)
        database.executemany(_ADD_DETECTION, self._detections)
        database.executemany(_ADD_TO_TRACK, self._tracks.values())
        database.executemany(_ADD_TO_TENTH, self._tenths.items())
        database.executemany(
            _ADD_TO_TALLY, ((*where, *sums) for where, sums in self._tallies.items())
        )
