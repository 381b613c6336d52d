"""The heads of the YOLO family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detect.layouts.grid import cell_positions, find_strides
from sightline.detect.layouts.layout import Candidates, Head, Layout
from sightline.detect.preprocess import ULTRALYTICS, YOLOX
from sightline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detect.layouts.layout import Outputs, Signature
    from sightline.detect.preprocess import Fit

__all__ = ["EndToEndHead", "YoloV5Head", "YoloV8Head", "YoloxHead", "count_classes", "table_output"]


def table_output(signature: Signature) -> tuple[str, tuple[int, int]]:
    """Find the one output that is a table per image, (B, rows, columns), and its (rows, columns).

    The five-dimensional feature maps that some exports of YOLOv5 and v7 return as well are passed
    over.

    Raises:
        ModelError: There is not exactly one.
    """
    tables = [item for item in signature.outputs.items() if len(item[1]) != 5]
    if len(tables) != 1 or len(tables[0][1]) != 3:
        raise ModelError(
            "expected one output of three dimensions, but the model has "
            f"{signature.describe_outputs()}"
        )
    name, shape = tables[0]
    return name, (shape[1], shape[2])


def count_classes(values: int, *, box_values: int) -> int:
    """Count the class scores in the values of one result.

    Raises:
        ModelError: There are none.
    """
    if values <= box_values:
        raise ModelError(
            f"expected {box_values} values and class scores per result, but got {values} values"
        )
    return values - box_values


class _ObjectnessHead(Head):
    """What YOLOX and YOLOv5 share: rows of 4 box values, objectness and class scores."""

    overlapping = True

    def __init__(self, signature: Signature) -> None:
        name, (self._rows, columns) = table_output(signature)
        self.outputs = (name,)
        self.class_count = count_classes(columns, box_values=5)

    @staticmethod
    def _select(
        table: NDArray[Any], confidence: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]:
        """Choose rows: no class score is above 1, so objectness alone rules out nearly all."""
        objectness = table[:, 4].astype(np.float32, copy=False)
        rows = np.flatnonzero(objectness > confidence)
        scores = table[rows, 5:].astype(np.float32, copy=False)
        class_id = scores.argmax(axis=1)
        score = scores[np.arange(len(rows)), class_id] * objectness[rows]
        keep = score > np.float32(confidence)
        return rows[keep], score[keep], class_id[keep]


class YoloxHead(_ObjectnessHead):
    """YOLOX as its authors export it: boxes relative to grid cells (Ge et al., arXiv:2107.08430).

    The centre is the cell plus the offset, times the stride; width and height are the exponential
    of the value, times the stride.
    """

    layout = Layout.YOLOX
    convention = YOLOX

    def __init__(self, signature: Signature) -> None:
        super().__init__(signature)
        size = signature.image.height, signature.image.width
        strides = find_strides(size, self._rows)
        if strides is None:
            raise ModelError(
                f"expected one row per grid cell, but {self._rows} rows fit no grid over "
                f"{size[1]}x{size[0]} pixels"
            )
        self._cells = cell_positions(size, strides)

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (N, 5+C); see `Head`."""
        (table,) = outputs
        rows, score, class_id = self._select(table, confidence)
        cells = self._cells[rows]
        stride = cells[:, 2:]
        boxes = table[rows, :4].astype(np.float32, copy=False)
        with np.errstate(over="ignore"):  # the detector refuses what is not finite
            centre, size = (boxes[:, :2] + cells[:, :2]) * stride, np.exp(boxes[:, 2:]) * stride
        return Candidates.from_centres(np.hstack([centre, size]), score, class_id, fit=fit)


class YoloV5Head(_ObjectnessHead):
    """YOLOv5, v6 and v7: decoded boxes with objectness."""

    layout = Layout.YOLOV5
    convention = ULTRALYTICS

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (N, 5+C); see `Head`."""
        (table,) = outputs
        rows, score, class_id = self._select(table, confidence)
        return Candidates.from_centres(table[rows, :4], score, class_id, fit=fit)


class YoloV8Head(Head):
    """YOLOv8, v9, v11 and v12: decoded boxes and class scores, one column per cell."""

    layout = Layout.YOLOV8
    convention = ULTRALYTICS
    overlapping = True

    def __init__(self, signature: Signature) -> None:
        name, (rows, columns) = table_output(signature)
        size = signature.image.height, signature.image.width
        fits = find_strides(size, rows) is not None, find_strides(size, columns) is not None
        self._transposed = fits == (True, False) or (fits[0] == fits[1] and rows > columns)
        values = columns if self._transposed else rows
        self.outputs = (name,)
        self.class_count = count_classes(values, box_values=4)

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (4+C, N) or (N, 4+C); see `Head`."""
        (table,) = outputs
        if self._transposed:
            table = table.T
        best = table[4:].max(axis=0).astype(np.float32, copy=False)
        columns = np.flatnonzero(best > confidence)
        class_id = table[4:, columns].argmax(axis=0)
        return Candidates.from_centres(table[:4, columns].T, best[columns], class_id, fit=fit)


class EndToEndHead(Head):
    """YOLOv10 and later: the model chooses among overlapping boxes itself."""

    layout = Layout.END_TO_END
    convention = ULTRALYTICS
    overlapping = False

    def __init__(self, signature: Signature) -> None:
        name, (_, columns) = table_output(signature)
        if columns != 6:
            raise ModelError(f"expected 6 values per row, but got {columns}")
        self.outputs = (name,)
        self.class_count = None

    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Decode (Q, 6); see `Head`."""
        (table,) = outputs
        table = table.astype(np.float32, copy=False)
        rows = table[table[:, 4] > confidence]
        return Candidates(
            xyxy=fit.to_frame(rows[:, :4]),
            confidence=rows[:, 4],
            class_id=rows[:, 5].astype(np.int32),
        )
