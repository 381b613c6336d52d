"""The objects of a frame under way: which are worked on, and how their results come together.

Only the size of the image matters here; its pixels stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.pipeline.per_object import PerObject, join
from sightline.pipeline.stage import Stage
from sightline.scope import Scope
from sightline.transport.frames import frame_of, pack_data, unpack_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sightline.frame import Frame
    from sightline.graph.record import FrameRecord
    from sightline.transport.messages import Result

__all__ = ["ObjectStage", "busy_ns", "selected_rows", "with_parts"]


class ObjectStage(Stage):
    """What a handler runs on the crop of one object: the inner stage of a `PerObject`.

    Args:
        outer: It opens and closes the inner stage.
    """

    scope = Scope.STATELESS
    changes_image = False

    def __init__(self, outer: PerObject) -> None:
        self._outer = outer
        self.concurrency = outer.concurrency

    def process(self, frame: Frame) -> Frame | None:
        """Run the inner stage on one crop."""
        return self._outer.process_part(frame)


def selected_rows(record: FrameRecord, stage: PerObject) -> list[int]:
    """Select the objects of a frame that a stage works on."""
    return [] if record.objects is None else stage.rows(_outline(record))


def with_parts(record: FrameRecord, parts: Mapping[int, Result]) -> bytes:
    """Join what the stage made of each object into the data of the frame, packed."""
    whole = _outline(record)
    made = {
        row: None if result.dropped_by else whole.replace(data=unpack_data(result.data or b""))
        for row, result in sorted(parts.items())
    }
    return pack_data(join(whole, made).data)


def busy_ns(results: Iterable[Result]) -> int:
    """Tell for how long at least one handler was at work on a frame, in nanoseconds.

    Args:
        results: Of the frame, or of its objects: handlers may have been at work at the same time.
    """
    total_ns = until_ns = 0
    for result in sorted(results, key=lambda result: result.started_ns):
        total_ns += max(0, result.ended_ns - max(result.started_ns, until_ns))
        until_ns = max(until_ns, result.ended_ns)
    return total_ns


def _outline(record: FrameRecord) -> Frame:
    """Make a frame with everything but pixels: reading these would give 0."""
    pixels = record.pixels
    assert pixels is not None  # a frame without pixels is over
    nothing = np.broadcast_to(np.uint8(0), pixels.shape)
    return frame_of(record.about, nothing, objects=record.objects, data=record.data)
