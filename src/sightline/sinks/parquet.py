"""The table of tracks as Parquet: typed columns for data frames and query engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detections import UNTRACKED
from sightline.errors import MissingExtraError
from sightline.sinks.file import FileSink
from sightline.sinks.values import check_untracked

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import Untracked
    from sightline.stream import StreamInfo

__all__ = ["ParquetFile"]

_ROWS_PER_GROUP = 1 << 16
_ROW = np.dtype(
    [
        ("seq", np.int64),
        ("pts", np.int64),
        ("time_s", np.float64),
        ("track_id", np.int64),
        ("class_id", np.int32),
        ("confidence", np.float32),
        ("x1", np.float32),
        ("y1", np.float32),
        ("x2", np.float32),
        ("y2", np.float32),
    ]
)


class ParquetFile(FileSink):
    """Writes one row per tracked object and frame; floats are exact, not rounded.

    Columns: `seq` int64, `pts` int64, `time_s` float64, `track_id` int64, `class_id` int32,
    `class` string (dictionary-encoded), `confidence`, `x1`, `y1`, `x2`, `y2` float32. The
    metadata of the schema names the stream and the time base of `pts`. Rows leave memory in
    groups of 65,536.

    Args:
        path: The file to write.
        untracked: What to do with objects that are on no track; `write` gives them the id −1.
    """

    def __init__(self, path: str | PathLike[str], *, untracked: Untracked = "skip") -> None:
        super().__init__(path)
        self.untracked = check_untracked(untracked)

    def _start(self, part: Path, stream: StreamInfo) -> Writer:
        return _ParquetWriter(part, stream, untracked=self.untracked)


class _ParquetWriter:
    def __init__(self, part: Path, stream: StreamInfo, *, untracked: Untracked) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtraError.of("Parquet output", "parquet") from error
        self._untracked = untracked
        self._blocks: list[tuple[NDArray[np.void], list[str]]] = []
        self._rows = 0
        self._pyarrow = pa
        self._schema = _schema(pa, stream)
        self._file = part.open("wb")
        self._table = parquet.ParquetWriter(self._file, self._schema)

    def add(self, frame: Frame) -> None:
        found = frame.detections
        if self._untracked == "skip":
            found = found[found.track_id != UNTRACKED]
        if not len(found):
            return
        block = np.empty(len(found), _ROW)
        block["seq"], block["pts"], block["time_s"] = frame.seq, frame.pts, frame.time_s
        for name in ("track_id", "class_id", "confidence"):
            block[name] = getattr(found, name)
        for column, name in enumerate(("x1", "y1", "x2", "y2")):
            block[name] = found.xyxy[:, column]
        # Values and names go in by one call: a Ctrl-C between two would leave columns of two sizes.
        self._blocks.append((block, [found.class_name(row) for row in range(len(found))]))
        self._rows += len(found)
        if self._rows >= _ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        blocks, self._blocks, self._rows = self._blocks, [], 0
        rows = np.concatenate([values for values, _ in blocks])
        columns: dict[str, Any] = {name: rows[name] for name in _ROW.names or ()}
        columns["class"] = [name for _, names in blocks for name in names]
        self._table.write_table(self._pyarrow.table(columns, schema=self._schema))

    def finish(self) -> None:
        if self._blocks:
            self._write_group()
        self._table.close()
        self._file.close()

    def abandon(self) -> None:
        self._table.close()
        self._file.close()


def _schema(pyarrow: Any, stream: StreamInfo) -> Any:
    """Put the columns in the order of the other tables, `class` behind `class_id`."""
    fields = [(name, pyarrow.from_numpy_dtype(_ROW[name])) for name in _ROW.names or ()]
    fields.insert(5, ("class", pyarrow.string()))
    name = stream.name.encode("utf-8", "backslashreplace")
    metadata = {"stream": name, "time_base": str(stream.time_base)}
    return pyarrow.schema(fields, metadata)
