"""Reading the index of a job's results, page by page, while it is written or later.

The cost of a page does not depend on the length of the video: every query walks along one index,
from a cursor on, and looks at a bounded number of rows. What the file holds is in `results_index`.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.detections import UNTRACKED
from sightline.errors import FormatError
from sightline.jobs.result_rows import (
    CountBin,
    CursorError,
    DetectionQuery,
    DetectionRow,
    FrameRow,
    Page,
    Position,
    TrackRow,
)
from sightline.jobs.results_index import FORMAT_VERSION, ROW_BITS, TENTHS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Self

__all__ = ["IndexNotBegunError", "ResultsReader"]

_BUSY_S = 5.0
_MOST_LOOKED_AT = 10_000
"""Rows per page, and the largest page."""
_LAST_ID = (1 << 63) - 1
_NO_KEY = -1
"""No class and no track has it."""

_Row = TypeVar("_Row")
_EVERYTHING = DetectionQuery()

_DETECTIONS = f"""
SELECT d.id, f.time_s, d.x1, d.y1, d.x2, d.y2, d.confidence, d.class, d.track_id
FROM detections AS d CROSS JOIN frames AS f ON f.seq = d.id >> {ROW_BITS}
WHERE d.id > ? AND d.id < ? {{condition}} ORDER BY d.id LIMIT ?
"""  # noqa: S608 - a constant
"""The cross join fixes the order of the loops."""
_TRACK_COLUMNS = (
    "id, class, first_seq, last_seq, first_s, last_s, frames, confidence_sum, confidence_max, "
    "first_x1, first_y1, first_x2, first_y2, last_x1, last_y1, last_x2, last_y2"
)


class IndexNotBegunError(FormatError):
    """The index has no tables yet: the final pass that writes it has just begun."""


class ResultsReader:
    """The results of one job; for one thread at a time.

    It reads what was committed when a method is called. The file may be moved with its folder
    meanwhile; what replaces it is seen by the next reader.

    Args:
        path: The index.

    Raises:
        IndexNotBegunError: Nothing was committed to it yet.
        FormatError: There is none, or it cannot be read. So do all methods if reading fails, as
            while nobody has tidied up after a writer that was killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            self._check_version()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def frames(
        self,
        *,
        from_s: float | None = None,
        to_s: float | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Page[FrameRow]:
        """List the frames of a span of time in order.

        Args:
            from_s: Shown at this time or later; None: from the first.
            to_s: Shown earlier than this; None: to the last.
            after: Cursor of the page before; empty: from the beginning.
            limit: At most so many, up to 10,000.

        Raises:
            CursorError: `after` is none.
        """
        _check_limit(limit)
        with self._snapshot():
            begin, end = self._seqs(from_s, to_s)
            rows = self._database.execute(
                "SELECT seq, pts, time_s, width, height, objects FROM frames"
                " WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?",
                (max(_number(after), begin - 1), end, limit + 1),
            )
            return _page(rows, after=after, limit=limit, make=_frame_row)

    def detections(
        self, query: DetectionQuery = _EVERYTHING, *, after: str = "", limit: int = 100
    ) -> Page[DetectionRow]:
        """List detections by frame, in the order in which the frame has them.

        Args:
            query: Which ones.
            after: Cursor of the page before; empty: from the beginning.
            limit: At most so many, up to 10,000.

        Raises:
            CursorError: `after` is none.
        """
        _check_limit(limit)
        with self._snapshot():
            begin, end = self._seqs(query.from_s, query.to_s)
            classes = self._classes()
            keys = _keys(classes, query.classes)
            condition, values = _driven_by(keys if query.classes else None, query.track_id)
            rows = self._database.execute(
                _DETECTIONS.format(condition=condition),
                (
                    max(_number(after), (begin << ROW_BITS) - 1),
                    min(end << ROW_BITS, _LAST_ID),
                    *values,
                    _MOST_LOOKED_AT + 1,
                ),
            )

            def make(row: tuple[Any, ...]) -> DetectionRow | None:
                wanted = (not query.classes or row[7] in keys) and row[6] >= query.min_confidence
                return _detection_row(row, classes) if wanted else None

            return _page(rows, after=after, limit=limit, make=make)

    def tracks(
        self, *, classes: frozenset[str] = frozenset(), after: str = "", limit: int = 100
    ) -> Page[TrackRow]:
        """List tracks in the order of their numbers.

        Args:
            classes: Of one of these classes, by name; empty: of any.
            after: Cursor of the page before; empty: from the beginning.
            limit: At most so many, up to 10,000.

        Raises:
            CursorError: `after` is none.
        """
        _check_limit(limit)
        with self._snapshot():
            names = self._classes()
            keys = _keys(names, classes)
            condition, values = _driven_by(keys if classes else None, None)
            rows = self._database.execute(
                f"SELECT {_TRACK_COLUMNS} FROM tracks AS d"  # noqa: S608 - constants
                f" WHERE id > ? {condition} ORDER BY id LIMIT ?",
                (_number(after), *values, _MOST_LOOKED_AT + 1),
            )

            def make(row: tuple[Any, ...]) -> TrackRow | None:
                return _track_row(row, names) if not classes or row[1] in keys else None

            return _page(rows, after=after, limit=limit, make=make)

    def positions(self, track_id: int, *, after: str = "", limit: int = 1000) -> Page[Position]:
        """List where a track was, in order; nothing for a track that does not exist.

        Args:
            track_id: The track.
            after: Cursor of the page before; empty: from the beginning.
            limit: At most so many, up to 10,000.

        Raises:
            CursorError: `after` is none.
        """
        found = self.detections(DetectionQuery(track_id=track_id), after=after, limit=limit)
        rows = [Position(seq=row.seq, time_s=row.time_s, xyxy=row.xyxy) for row in found.rows]
        return Page(rows=rows, cursor=found.cursor, more=found.more)

    def counts(self, bins: int = 100) -> list[CountBin]:
        """Count objects by class over time, from the first frame to the last.

        Bins have one width, a multiple of a tenth of a second, but for the last, which may reach
        beyond the end. The cost grows with the duration: about 0.1 s for an hour.

        Args:
            bins: At most so many.
        """
        if bins < 1:
            raise ValueError(f"bins must be 1 or more, but is {bins}")
        with self._snapshot():
            first, last = self._database.execute(
                "SELECT (SELECT min(tenth) FROM tenths), (SELECT max(tenth) FROM tenths)"
            ).fetchone()
            if first is None:
                return []
            width = -(-(last - first + 1) // bins)
            frames = dict(
                self._database.execute(
                    "SELECT (tenth - ?) / ?, sum(frames) FROM tenths GROUP BY 1", (first, width)
                )
            )
            made = [
                CountBin(
                    start_s=(first + number * width) / TENTHS_PER_S,
                    end_s=(first + (number + 1) * width) / TENTHS_PER_S,
                    frames=frames.get(number, 0),
                )
                for number in range((last - first) // width + 1)
            ]
            self._fill(made, first, width)
        return made

    def _check_version(self) -> None:
        with self._explained():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            raise IndexNotBegunError(f"{self._path} is no index of results yet; read it later")
        if version != FORMAT_VERSION:
            raise FormatError(f"{self._path} is no index of results of version {FORMAT_VERSION}")

    def _fill(self, bins: list[CountBin], first: int, width: int) -> None:
        names = {key: name for key, (_, name) in self._classes().items()}
        for number, key, objects, most in self._database.execute(
            "SELECT (tenth - ?) / ?, class, sum(objects), max(most) FROM tallies"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            (first, width),
        ):
            into, name = bins[number], names[key]
            into.objects[name] = into.objects.get(name, 0) + objects
            into.most[name] = max(into.most.get(name, 0), most)

    def _seqs(self, from_s: float | None, to_s: float | None) -> tuple[int, int]:
        """Turn a span of time into the number of its first frame and the first one after it."""
        end = _LAST_ID >> ROW_BITS
        begin = 0 if from_s is None else self._first_at(from_s, end)
        return begin, end if to_s is None else self._first_at(to_s, end)

    def _first_at(self, time_s: float, otherwise: int) -> int:
        row = self._database.execute(
            "SELECT seq FROM frames WHERE time_s >= ? ORDER BY time_s LIMIT 1", (time_s,)
        ).fetchone()
        return otherwise if row is None else row[0]

    def _classes(self) -> dict[int, tuple[int, str]]:
        rows = self._database.execute("SELECT key, class_id, name FROM classes")
        return {key: (class_id, name) for key, class_id, name in rows}

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """See one state of the file in several queries."""
        with self._explained():
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise FormatError(f"cannot read {self._path}: {error}") from error


def _page(
    rows: Iterable[tuple[Any, ...]],
    *,
    after: str,
    limit: int,
    make: Callable[[tuple[Any, ...]], _Row | None],
) -> Page[_Row]:
    """Take rows, whose first column is their number, until the page is full.

    Args:
        rows: One more than may be looked at, if there are so many.
        after: Cursor of the page before.
        limit: At most so many for the page.
        make: Makes a row, or None of one that is not wanted.
    """
    page: list[_Row] = []
    cursor = after
    for looked_at, row in enumerate(rows):
        if len(page) == limit or looked_at == _MOST_LOOKED_AT:
            return Page(rows=page, cursor=cursor, more=True)
        made = make(row)
        if made is not None:
            page.append(made)
        cursor = f"{row[0]:x}"
    return Page(rows=page, cursor=cursor, more=False)


def _number(cursor: str) -> int:
    """Read a cursor: the number of the last row that was looked at; −1 before the first."""
    if not cursor:
        return -1
    try:
        number = int(cursor, 16)
    except ValueError:
        number = -1
    if not (0 <= number <= _LAST_ID and cursor == f"{number:x}"):
        raise CursorError(f"no page of these results has the cursor {cursor!r}")
    return number


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= _MOST_LOOKED_AT:
        raise ValueError(f"limit must be from 1 to {_MOST_LOOKED_AT}, but is {limit}")


def _keys(classes: Mapping[int, tuple[int, str]], names: frozenset[str]) -> frozenset[int]:
    return frozenset(key for key, (_, name) in classes.items() if name in names)


def _driven_by(keys: frozenset[int] | None, track_id: int | None) -> tuple[str, tuple[int, ...]]:
    """Choose the index to walk along: of a track, of one class, or of all rows."""
    if track_id is not None:
        return "AND d.track_id = ?", (track_id if abs(track_id) <= _LAST_ID else _NO_KEY,)
    if keys is not None and len(keys) <= 1:
        return "AND d.class = ?", (next(iter(keys), _NO_KEY),)
    return "", ()


def _frame_row(row: tuple[Any, ...]) -> FrameRow:
    seq, pts, time_s, width, height, objects = row
    return FrameRow(seq=seq, pts=pts, time_s=time_s, width=width, height=height, objects=objects)


def _detection_row(row: tuple[Any, ...], classes: Mapping[int, tuple[int, str]]) -> DetectionRow:
    number, time_s, x1, y1, x2, y2, confidence, key, track_id = row
    class_id, class_name = classes[key]
    return DetectionRow(
        seq=number >> ROW_BITS,
        time_s=time_s,
        xyxy=(x1, y1, x2, y2),
        confidence=confidence,
        class_id=class_id,
        class_name=class_name,
        track_id=UNTRACKED if track_id is None else track_id,
    )


def _track_row(row: tuple[Any, ...], classes: Mapping[int, tuple[int, str]]) -> TrackRow:
    track_id, key, first_seq, last_seq, first_s, last_s, frames, total, most, *boxes = row
    class_id, class_name = classes[key]
    return TrackRow(
        track_id=track_id,
        class_id=class_id,
        class_name=class_name,
        first_seq=first_seq,
        last_seq=last_seq,
        first_s=first_s,
        last_s=last_s,
        frames=frames,
        confidence_mean=round(total / frames, 4),
        confidence_max=most,
        first_xyxy=(boxes[0], boxes[1], boxes[2], boxes[3]),
        last_xyxy=(boxes[4], boxes[5], boxes[6], boxes[7]),
    )
