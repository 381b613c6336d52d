"""COCO results: images, annotations with scores and track ids, categories."""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from typing import TYPE_CHECKING

from sightline.errors import OutputError
from sightline.sinks.file import FileSink, TextWriter
from sightline.sinks.json_text import encode, separators
from sightline.sinks.values import objects_of, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.sinks.file import Writer
    from sightline.sinks.values import ObjectValues
    from sightline.stream import StreamInfo

__all__ = ["CocoFile"]


class CocoFile(FileSink):
    """Writes one JSON object in the layout of COCO, a line per image and annotation.

    An image's `id` is `seq`; its `file_name`, `STREAM/000000.jpg`, is where tools that extract
    frames put it; `time_s` is added. A category's `id` is the class id. An annotation has `bbox`
    as left, top, width, height, and beyond COCO's own keys `score` and `track_id` (−1 for an
    object that is on no track). Until `close()` the annotations lie in a temporary file beside
    the output, so memory stays constant.

    Args:
        path: The file to write.
    """

    def _start(self, part: Path, stream: StreamInfo) -> Writer:
        return _CocoWriter(part, stream.name)


class _CocoWriter(TextWriter):
    def __init__(self, part: Path, stream: str) -> None:
        # A file without a name: whatever ends the process, it leaves nothing behind.
        self._annotations = tempfile.TemporaryFile(  # noqa: SIM115 - lives as long as the writer
            "w+", encoding="utf-8", dir=part.parent
        )
        try:
            super().__init__(part)
        except OSError:
            self._annotations.close()
            raise
        self._stream = stream
        self._class_names: tuple[str, ...] = ()
        self._categories: dict[int, str] = {}
        self._annotation_ids = count(1)  # evaluation tools take the id 0 for "no match"
        self._before_image = separators()
        self._before_annotation = separators()
        self._text.write(f'{{"info":{encode({"description": stream})},\n"images":[')

    def add(self, frame: Frame) -> None:
        objects = objects_of(frame)
        self._learn_categories(frame.detections.class_names, objects)
        image = {
            "id": frame.seq,
            "file_name": f"{self._stream}/{frame.seq:06d}.jpg",
            "width": frame.width,
            "height": frame.height,
            "time_s": time_of(frame),
        }
        self._text.write(next(self._before_image) + encode(image))
        for found in objects:
            annotation = _annotation(found, frame.seq, next(self._annotation_ids))
            self._annotations.write(next(self._before_annotation) + annotation)

    def _learn_categories(
        self, class_names: tuple[str, ...], objects: Iterable[ObjectValues]
    ) -> None:
        names = [(found.class_id, found.class_name) for found in objects]
        if class_names != self._class_names:
            self._class_names = class_names
            names += enumerate(class_names)
        for class_id, name in names:
            known = self._categories.setdefault(class_id, name)
            if known != name:
                raise OutputError(
                    f"class {class_id} is called {known!r} at first and {name!r} later, "
                    "but COCO has one name per class"
                )

    def finish(self) -> None:
        categories = [{"id": i, "name": name} for i, name in sorted(self._categories.items())]
        self._text.write('\n],\n"annotations":[')
        self._annotations.seek(0)
        shutil.copyfileobj(self._annotations, self._text)
        self._text.write(f'\n],\n"categories":{encode(categories)}}}\n')
        self._annotations.close()
        super().finish()

    def abandon(self) -> None:
        try:
            self._annotations.close()
        finally:
            super().abandon()


def _annotation(found: ObjectValues, image_id: int, annotation_id: int) -> str:
    x1, y1, x2, y2 = found.xyxy
    width, height = round(x2 - x1, 3), round(y2 - y1, 3)
    return (
        f'{{"id":{annotation_id},"image_id":{image_id},"category_id":{found.class_id},'
        f'"bbox":[{x1},{y1},{width},{height}],"area":{round(width * height, 3)},"iscrowd":0,'
        f'"score":{found.confidence},"track_id":{found.track_id}}}'
    )
