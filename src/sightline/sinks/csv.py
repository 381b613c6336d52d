"""A table with one row per tracked object and frame, for spreadsheets and data frames."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from sightline.sinks.file import FileSink, TextWriter
from sightline.sinks.values import check_untracked, objects_of, time_of, wanted

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import Untracked
    from sightline.stream import StreamInfo

__all__ = ["CsvFile"]

_HEADER = ("seq", "time_s", "track_id", "class_id", "class", "confidence", "x1", "y1", "x2", "y2")


class CsvFile(FileSink):
    """Writes a header and comma-separated rows in UTF-8.

        seq,time_s,track_id,class_id,class,confidence,x1,y1,x2,y2
        0,0.0,3,0,person,0.87,1.5,2.0,30.25,40.0

    Args:
        path: The file to write.
        untracked: What to do with objects that are on no track; `write` gives them the id −1.
    """

    def __init__(self, path: str | PathLike[str], *, untracked: Untracked = "skip") -> None:
        super().__init__(path)
        self.untracked = check_untracked(untracked)

    def _start(self, part: Path, stream: StreamInfo) -> Writer:  # noqa: ARG002 - one interface
        return _CsvWriter(part, self.untracked)


class _CsvWriter(TextWriter):
    def __init__(self, part: Path, untracked: Untracked) -> None:
        super().__init__(part)
        self._untracked = untracked
        self._table = csv.writer(self._text, lineterminator="\n")
        self._table.writerow(_HEADER)

    def add(self, frame: Frame) -> None:
        seq, time_s = frame.seq, time_of(frame)
        self._table.writerows(
            (seq, time_s, track_id, class_id, class_name, confidence, *xyxy)
            for xyxy, confidence, class_id, class_name, track_id in wanted(
                objects_of(frame), self._untracked
            )
        )
