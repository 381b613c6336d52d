"""The path of every track: tracks by id, each with its boxes frame by frame."""

from __future__ import annotations

from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from sightline.sinks.file import FileSink, TextWriter
from sightline.sinks.json_text import quote, separators
from sightline.sinks.spool import TrackSpool
from sightline.sinks.values import objects_of, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import ObjectValues
    from sightline.stream import StreamInfo

__all__ = ["TracksFile"]


class TracksFile(FileSink):
    """Writes one JSON object, a line per track, ids in ascending order.

        {"3":[{"class":"person","frame_number":0,
               "positions":{"x1":1.5,"y1":2.0,"x2":30.25,"y2":40.0}}, …], …}

    `frame_number` is `seq`. Objects that are on no track are left out. Until `close()` the
    entries lie in a temporary file beside the output, so memory stays constant.

    Args:
        path: The file to write.
    """

    def _start(self, part: Path, stream: StreamInfo) -> Writer:  # noqa: ARG002 - one interface
        return _TracksWriter(part)


class _TracksWriter(TextWriter):
    def __init__(self, part: Path) -> None:
        self._spool = TrackSpool(part.parent)
        try:
            super().__init__(part)
        except OSError:
            self._spool.close()
            raise

    def add(self, frame: Frame) -> None:
        for found in wanted(objects_of(frame), "skip"):
            self._spool.add(found.track_id, _entry(found, frame.seq))

    def finish(self) -> None:
        self._text.write("{")
        with closing(self._spool.read()) as spooled:
            tracks = groupby(spooled, key=itemgetter(0))
            for separator, (track_id, entries) in zip(separators(), tracks, strict=False):
                self._text.write(f'{separator}"{track_id}":[')
                for comma, (_, some) in zip(separators("", ","), entries, strict=False):
                    self._text.write(comma + some)
                self._text.write("]")
        self._text.write("\n}\n")
        self._spool.close()
        super().finish()

    def abandon(self) -> None:
        self._spool.close()
        super().abandon()


def _entry(found: ObjectValues, seq: int) -> str:
    x1, y1, x2, y2 = found.xyxy
    return (
        f'{{"class":{quote(found.class_name)},"frame_number":{seq},'
        f'"positions":{{"x1":{x1},"y1":{y1},"x2":{x2},"y2":{y2}}}}}'
    )
