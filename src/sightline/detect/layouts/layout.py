"""The seam between the detector and the layouts of model outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sightline.detect.preprocess import Convention, Fit, InputFormat

__all__ = ["Candidates", "Head", "Layout", "Outputs", "Signature", "TensorInfo"]

Outputs = Sequence[NDArray[Any]]
"""What a model returned for one image, without the batch axis, in the order of `Head.outputs`."""


class Layout(Enum):
    """How a model lays out what it found; the values are the choices of `--layout`.

    B is the batch, C the number of classes, N the number of grid cells (or anchors), Q of queries.

    `YOLOX`: (B, N, 5+C) per cell x, y offset, log width, log height, objectness, class scores.
    `YOLOV5`: (B, N, 5+C) centre x, y, width, height in input pixels, objectness, class scores;
        YOLOv5, v6 and v7.
    `YOLOV8`: (B, 4+C, N) or (B, N, 4+C) centre x, y, width, height in input pixels, class scores;
        YOLOv8, v9, v11, v12.
    `END_TO_END`: (B, Q, 6) left, top, right, bottom in input pixels, confidence, class id; YOLOv10
        and later, and exports with built-in suppression.
    `DETR`: (B, Q, 4) centre x, y, width, height in [0, 1] and (B, Q, C) logits; RT-DETR, D-FINE.
    `RF_DETR`: as `DETR`, with the input normalised as for ImageNet; RF-DETR.
    `DETR_JOINED`: (B, Q, 4+C) boxes as `DETR` and class scores; RT-DETR exported by Ultralytics.
    `DETR_DEPLOY`: labels (B, Q), boxes (B, Q, 4), scores (B, Q), boxes scaled to the input
        `orig_target_sizes`; D-FINE and RT-DETR with their post-processing.
    """

    YOLOX = "yolox"
    YOLOV5 = "yolov5"
    YOLOV8 = "yolov8"
    END_TO_END = "end2end"
    DETR = "detr"
    RF_DETR = "rf-detr"
    DETR_JOINED = "detr-joined"
    DETR_DEPLOY = "detr-deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a model: its name, shape (text: a free dimension) and dtype."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a layout is recognised from.

    Attributes:
        image: The image input.
        outputs: Name to shape, as a run of the model returned them: without free dimensions.
        metadata: Custom metadata of the model file.
        class_names: Names that the model or the user gives; may be empty.
    """

    image: InputFormat
    outputs: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    class_names: tuple[str, ...] = ()

    def describe_outputs(self) -> str:
        """List the outputs with their shapes, for messages."""
        return ", ".join(f"{name} {shape}" for name, shape in self.outputs.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Boxes of one image above the confidence threshold, before suppression.

    Attributes:
        xyxy: float32 (N, 4) in pixels of the frame.
        confidence: float32 (N,).
        class_id: int32 (N,).
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]

    @classmethod
    def from_centres(
        cls,
        cxcywh: NDArray[Any],
        confidence: NDArray[Any],
        class_id: NDArray[np.integer[Any]],
        *,
        fit: Fit,
    ) -> Candidates:
        """Convert boxes given as centre, width and height in pixels of the model input."""
        boxes = cxcywh.astype(np.float32, copy=False)
        half = boxes[:, 2:] / 2
        return cls(
            xyxy=fit.to_frame(np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])),
            confidence=confidence.astype(np.float32, copy=False),
            class_id=class_id.astype(np.int32),
        )

    def select(self, rows: NDArray[Any]) -> Candidates:
        """Take some of them, by index or mask."""
        return Candidates(
            xyxy=self.xyxy[rows], confidence=self.confidence[rows], class_id=self.class_id[rows]
        )


class Head(ABC):
    """Knows one layout for one model. Immutable, so that any number of threads may use it.

    Attributes:
        layout: The layout.
        convention: How the family wants its input.
        overlapping: Whether one object yields several candidates, so that suppression is needed.
        outputs: Names of the outputs that it decodes, to be fetched in this order.
        class_count: Number of classes; None if the outputs do not tell.
    """

    layout: ClassVar[Layout]
    convention: ClassVar[Convention]
    overlapping: ClassVar[bool]
    outputs: tuple[str, ...]
    class_count: int | None

    @abstractmethod
    def __init__(self, signature: Signature) -> None:
        """Raise `ModelError` if the outputs of the model cannot be of this layout."""

    @abstractmethod
    def decode(self, outputs: Outputs, *, fit: Fit, confidence: float) -> Candidates:
        """Find the candidates of one image with a confidence greater than `confidence`.

        Scores are compared before boxes are decoded: of thousands of cells a few dozen remain,
        and post-processing takes 0.3 ms where decoding all boxes first takes 2.5.
        """
