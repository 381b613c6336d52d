"""A stage that runs another one on every object of a frame, and how crops are cut and joined.

    frame ──cut──► crop of object 0 ──stage──► data ──┐
          ──cut──► crop of object 2 ──stage──► data ──┴─join──► frame, a list per key of data

Inline the crops come one after the other; a runner with handlers spreads them, with the same
`rows`, `cut`, `process_part` and `join`.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import PipelineError
from sightline.pipeline.promises import check_same_frame
from sightline.pipeline.stage import Stage
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sightline.detections import Detections
    from sightline.frame import Frame

__all__ = ["PerObject", "cut", "join"]

_Bounds = tuple[int, int, int, int]

_NO_DATA: Mapping[str, Any] = MappingProxyType({})


class PerObject(Stage):
    """Runs a stage on the crop of every object; what it puts into `data` comes back as lists.

    The inner stage gets frames whose image is the crop, whose detections are that one object in
    pixels of the crop, and whose `data` is empty. For each key that it puts into `data` of any
    crop, `frame.data[key]` is a list with an entry per detection: None where the object was not
    selected, or where the inner stage dropped the crop or did not set the key. Without selected
    objects there are no keys. Objects outside the image are not selected.

    Args:
        stage: `STATELESS`, with `changes_image = False`.
        classes: Names or ids of the classes whose objects are selected; None: all.

    Raises:
        PipelineError: The stage is none, or not such a one; or `classes` is no list.
    """

    name = "per-object"
    changes_image = False

    def __init__(self, stage: Stage, classes: Collection[str | int] | None = None) -> None:
        if not isinstance(stage, Stage):
            raise PipelineError(f"{stage!r} is not a stage; derive its class from Stage")
        if stage.scope is not Scope.STATELESS:
            raise PipelineError(
                f"stage {stage.name!r} needs the frames of a stream in order and cannot run per "
                "object; only a STATELESS stage can"
            )
        if stage.changes_image:
            raise PipelineError(
                f"stage {stage.name!r} may change the image and cannot run per object; if it "
                "does not, set changes_image = False in its class"
            )
        if classes is not None and (isinstance(classes, str | int) or not classes):
            raise PipelineError(
                f"classes is a list of at least one name or id, but is {classes!r}; None is for all"
            )
        self.inner = stage
        self.classes = None if classes is None else frozenset(classes)
        self.concurrency = stage.concurrency
        self.changeable = stage.changeable

    def open(self) -> None:
        """Open the inner stage."""
        self.inner.open()
        self.concurrency = self.inner.concurrency

    def process(self, frame: Frame) -> Frame:
        """Run the inner stage on one crop after the other."""
        return join(frame, {row: self.process_part(cut(frame, row)) for row in self.rows(frame)})

    def rows(self, frame: Frame) -> list[int]:
        """Select the objects to work on: rows of the detections, in order.

        Raises:
            ValueError: A box holds NaN.
        """
        found = frame.detections
        return [
            row
            for row in range(len(found))
            if self._is_wanted(found, row) and _has_pixels(_bounds(frame, row))
        ]

    def process_part(self, part: Frame) -> Frame | None:
        """Run the inner stage on a frame that `cut` made.

        Raises:
            PipelineError: It changed more than `data`, or returned no frame.
        """
        result = self.inner.process(part)
        check_same_frame(self.inner, part, result)
        if result is not None and (
            result.image is not part.image or result.detections is not part.detections
        ):
            raise PipelineError(
                f"stage {self.inner.name!r} replaced the image or detections of a crop; per "
                "object, put what it finds into data"
            )
        return result

    def apply_change(self, parameters: Mapping[str, Any]) -> None:
        """Change parameters of the inner stage."""
        self.inner.apply_change(parameters)

    def close(self) -> None:
        """Close the inner stage."""
        self.inner.close()

    def describe(self) -> dict[str, Any]:
        """State the selection and the inner stage."""
        classes = None if self.classes is None else sorted(self.classes, key=str)
        return {"stage": self.name, "classes": classes, "inner": self.inner.describe()}

    def _is_wanted(self, found: Detections, row: int) -> bool:
        classes = self.classes
        return (
            classes is None
            or found.class_name(row) in classes
            or int(found.class_id[row]) in classes
        )


def cut(frame: Frame, row: int) -> Frame:
    """Make a frame of one object: its crop, and its detection in pixels of the crop.

    The crop has every pixel that the box touches and shares the memory of the image. `data` is
    empty; number and times are those of the frame.

    Args:
        frame: The whole.
        row: Which of its detections.

    Raises:
        ValueError: The box holds NaN, or lies outside the image.
    """
    left, top, right, bottom = bounds = _bounds(frame, row)
    if not _has_pixels(bounds):
        raise ValueError(f"object {row} of frame {frame.seq} lies outside the image")
    found = frame.detections[row : row + 1]
    return frame.replace(
        image=frame.image[top:bottom, left:right],
        detections=found.replace(xyxy=found.xyxy - np.array((left, top) * 2, np.float32)),
        data=_NO_DATA,
        _buffers=None,
    )


def join(frame: Frame, parts: Mapping[int, Frame | None]) -> Frame:
    """Add to a frame what a stage put into the data of its parts; see `PerObject`.

    Args:
        frame: The whole.
        parts: What became of the selected objects, by row; None: dropped.
    """
    joined: dict[str, list[Any]] = {}
    for row, part in parts.items():
        if part is not None:
            for key, value in part.data.items():
                joined.setdefault(key, [None] * len(frame.detections))[row] = value
    return frame.replace(data={**frame.data, **joined}) if joined else frame


def _bounds(frame: Frame, row: int) -> _Bounds:
    """Find the first pixel that a box touches and the first beyond it, within the image."""
    x1, y1, x2, y2 = box = frame.detections.xyxy[row].tolist()
    if any(map(math.isnan, box)):
        raise ValueError(f"the box of object {row} of frame {frame.seq} holds NaN")
    return (
        math.floor(_clip(x1, frame.width)),
        math.floor(_clip(y1, frame.height)),
        math.ceil(_clip(x2, frame.width)),
        math.ceil(_clip(y2, frame.height)),
    )


def _clip(value: float, limit: int) -> float:
    return min(max(value, 0), limit)


def _has_pixels(bounds: _Bounds) -> bool:
    left, top, right, bottom = bounds
    return left < right and top < bottom
