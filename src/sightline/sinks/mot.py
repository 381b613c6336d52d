"""MOT Challenge rows: what benchmarks of tracking read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.formats.mot import format_mot_row
from sightline.sinks.file import FileSink, TextWriter
from sightline.sinks.values import check_untracked, objects_of, wanted

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import Untracked
    from sightline.stream import StreamInfo

__all__ = ["MotFile"]


class MotFile(FileSink):
    """Writes a row per tracked object and frame, without a header; see `sightline.formats.mot`.

        1,3,1.500,2.000,28.750,38.000,0.8700,-1,-1,-1

    Frames count from 1: the row's frame is `seq` + 1. The format has no place for classes.

    Args:
        path: The file to write.
        untracked: What to do with objects that are on no track; `write` gives them the id −1,
            as in the detection files of the MOT Challenge.
    """

    def __init__(self, path: str | PathLike[str], *, untracked: Untracked = "skip") -> None:
        super().__init__(path)
        self.untracked = check_untracked(untracked)

    def _start(self, part: Path, stream: StreamInfo) -> Writer:  # noqa: ARG002 - one interface
        return _MotWriter(part, self.untracked)


class _MotWriter(TextWriter):
    def __init__(self, part: Path, untracked: Untracked) -> None:
        super().__init__(part)
        self._untracked = untracked

    def add(self, frame: Frame) -> None:
        rows = [
            format_mot_row(frame.seq + 1, found.track_id, found.xyxy, confidence=found.confidence)
            for found in wanted(objects_of(frame), self._untracked)
        ]
        self._text.write("".join(f"{row}\n" for row in rows))
