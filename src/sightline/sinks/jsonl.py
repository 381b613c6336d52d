"""One line of JSON per frame: every detection, tracked or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.sinks.file import FileSink, TextWriter
from sightline.sinks.json_text import quote
from sightline.sinks.values import objects_of, time_of

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import ObjectValues
    from sightline.stream import StreamInfo

__all__ = ["JsonlFile"]


class JsonlFile(FileSink):
    """Writes a line per frame, frames without objects included.

        {"seq":0,"pts":0,"time_s":0.0,"detections":[{"xyxy":[1.5,2.0,30.25,40.0],
         "confidence":0.87,"class_id":0,"class":"person","track_id":3}]}

    `track_id` is −1 for an object that is on no track.

    Args:
        path: The file to write.
    """

    def _start(self, part: Path, stream: StreamInfo) -> Writer:  # noqa: ARG002 - one interface
        return _JsonlWriter(part)


class _JsonlWriter(TextWriter):
    def add(self, frame: Frame) -> None:
        detections = ",".join(map(_detection, objects_of(frame)))
        self._text.write(
            f'{{"seq":{frame.seq},"pts":{frame.pts},"time_s":{time_of(frame)},'
            f'"detections":[{detections}]}}\n'
        )


def _detection(found: ObjectValues) -> str:
    (x1, y1, x2, y2), confidence, class_id, class_name, track_id = found
    return (
        f'{{"xyxy":[{x1},{y1},{x2},{y2}],"confidence":{confidence},"class_id":{class_id},'
        f'"class":{quote(class_name)},"track_id":{track_id}}}'
    )
