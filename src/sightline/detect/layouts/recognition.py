"""Telling layouts apart by the names and shapes of a model's outputs and by its metadata.

A table (B, N, K) alone does not say what it is. What does is N: it equals the number of grid
cells of the input for YOLOX and YOLOv8, three times that number for the three anchors per cell of
YOLOv5 and v7, and neither for models with a fixed number of results. YOLOv8 has the cells on the
last axis; where it was transposed, the number of class names tells it from YOLOX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.detect.layouts.detr import (
    DEPLOY_OUTPUTS,
    DetrDeployHead,
    DetrHead,
    DetrJoinedHead,
    RfDetrHead,
    paired_outputs,
)
from sightline.detect.layouts.grid import find_strides
from sightline.detect.layouts.layout import Layout
from sightline.detect.layouts.yolo import (
    EndToEndHead,
    YoloV5Head,
    YoloV8Head,
    YoloxHead,
    table_output,
)
from sightline.errors import ModelError

if TYPE_CHECKING:
    from sightline.detect.layouts.layout import Head, Signature

__all__ = ["build_head", "recognise"]

_HEADS: dict[Layout, type[Head]] = {
    Layout.YOLOX: YoloxHead,
    Layout.YOLOV5: YoloV5Head,
    Layout.YOLOV8: YoloV8Head,
    Layout.END_TO_END: EndToEndHead,
    Layout.DETR: DetrHead,
    Layout.RF_DETR: RfDetrHead,
    Layout.DETR_JOINED: DetrJoinedHead,
    Layout.DETR_DEPLOY: DetrDeployHead,
}

_ANCHORS_PER_CELL = 3


def build_head(layout: Layout, signature: Signature) -> Head:
    """Make the head of a layout for a model.

    Raises:
        ModelError: The outputs of the model cannot be of this layout.
    """
    try:
        return _HEADS[layout](signature)
    except ModelError as error:
        raise ModelError(f"the outputs do not fit layout {layout.value}: {error}") from error


def recognise(signature: Signature) -> tuple[Layout, str]:
    """Find the layout of a model, and say what gave it away.

    Raises:
        ModelError: The model is not for detection, or its outputs fit no known layout.
    """
    task = signature.metadata.get("task", "detect")
    if task != "detect":
        raise ModelError(f"the model is for the task {task!r}; a detector needs one for 'detect'")
    found = _by_names(signature) or _by_pair(signature) or _by_table(signature)
    if found is None:
        raise ModelError(
            f"the outputs fit no known layout: {signature.describe_outputs()} for an input of "
            f"{signature.image.width}x{signature.image.height}; if it is one of "
            f"{', '.join(layout.value for layout in Layout)}, name it as the option layout"
        )
    return found


def _by_names(signature: Signature) -> tuple[Layout, str] | None:
    if set(DEPLOY_OUTPUTS) <= set(signature.outputs):
        return Layout.DETR_DEPLOY, "outputs named labels, boxes and scores"
    return None


def _by_pair(signature: Signature) -> tuple[Layout, str] | None:
    if paired_outputs(signature) is None:
        return None
    if set(signature.outputs) == {"dets", "labels"}:
        return Layout.RF_DETR, "boxes and logits named dets and labels"
    return Layout.DETR, "a pair of outputs, boxes and logits"


def _by_table(signature: Signature) -> tuple[Layout, str] | None:
    try:
        _, (rows, columns) = table_output(signature)
    except ModelError:
        return None
    if "rtdetr" in signature.metadata.get("description", "").lower():
        return Layout.DETR_JOINED, "the model describes itself as RT-DETR"
    if signature.metadata.get("end2end") == "True" and columns == 6:
        return Layout.END_TO_END, "the model describes itself as end-to-end"
    return _by_cells(signature, rows, columns) or _by_values(signature, rows, columns)


def _by_cells(signature: Signature, rows: int, columns: int) -> tuple[Layout, str] | None:
    """Recognise a table by the number of cells on one of its axes."""
    size = signature.image.height, signature.image.width
    class_count = len(signature.class_names)
    if find_strides(size, columns) and rows >= 5:
        return Layout.YOLOV8, f"{columns} grid cells on the last axis"
    if rows % _ANCHORS_PER_CELL == 0 and columns >= 6:
        strides = find_strides(size, rows // _ANCHORS_PER_CELL)
        if strides:
            return Layout.YOLOV5, f"{rows} rows, three per grid cell of strides {strides}"
    strides = find_strides(size, rows)
    if strides and class_count and columns == 4 + class_count:
        return Layout.YOLOV8, f"{rows} rows, one per grid cell, without objectness"
    if strides and columns >= 6 and (columns > 6 or class_count <= 1):
        return Layout.YOLOX, f"{rows} rows, one per grid cell of strides {strides}"
    return None


def _by_values(signature: Signature, rows: int, columns: int) -> tuple[Layout, str] | None:
    """Recognise a table whose rows are not grid cells by the number of values per result."""
    class_count = len(signature.class_names)
    if columns == 6:
        return Layout.END_TO_END, "six values per result"
    if class_count and rows == 4 + class_count:
        return Layout.YOLOV8, f"4 values and {class_count} class scores per column"
    if class_count and columns == 5 + class_count:
        return Layout.YOLOV5, f"5 values and {class_count} class scores per row"
    return None
