"""The loop that everybody writes first: the A side of the benchmark of `sightline track`.

Read a frame, pre-process, infer, threshold, NMS, track, next frame; one thing at a time, with the
runtime's default of all cores for one inference. It is written for YOLOX, plainly and without
waste, and shares no code with the product but the tracker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.detections import Detections
from sightline.tracking.sort import Sort

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["PlainLoop"]

_CONFIDENCE = 0.3
_NMS = 0.45
_STRIDES = (8, 16, 32)
_PADDING = 114


class PlainLoop:
    """A YOLOX model and a tracker in one loop.

    Args:
        model: ONNX file of a YOLOX model with a raw head and a fixed input size.
        threads: Threads of one inference; 0 for the runtime's default, all cores.
    """

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        model_input = self._session.get_inputs()[0]
        self._input_name = model_input.name
        self._size: tuple[int, int] = tuple(model_input.shape[2:])
        self._grid, self._stride = _grid(self._size)

    def run(self, video: Path, *, frames: int | None = None) -> int:
        """Process a video, or its first frames; return the number of frames."""
        capture = cv2.VideoCapture(str(video))
        tracker = Sort()
        count = 0
        while frames is None or count < frames:
            ok, image = capture.read()
            if not ok:
                break
            tracker.update(self._detect(image))
            count += 1
        capture.release()
        return count

    def infer(self, repetitions: int) -> int:
        """Run the model alone on one input, again and again; return how often."""
        tensor = np.full((1, 3, *self._size), _PADDING, np.float32)
        for _ in range(repetitions):
            self._session.run(None, {self._input_name: tensor})
        return repetitions

    def _detect(self, image: NDArray[Any]) -> Detections:
        height, width = self._size
        scale = min(height / image.shape[0], width / image.shape[1])
        shape = (int(image.shape[1] * scale), int(image.shape[0] * scale))
        padded = np.full((height, width, 3), _PADDING, np.uint8)
        padded[: shape[1], : shape[0]] = cv2.resize(image, shape)
        tensor = padded.transpose(2, 0, 1)[None].astype(np.float32)
        (output,) = self._session.run(None, {self._input_name: tensor})
        return self._read(output[0], scale)

    def _read(self, output: NDArray[Any], scale: float) -> Detections:
        centre = (output[:, :2] + self._grid) * self._stride
        size = np.exp(output[:, 2:4]) * self._stride
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1) / scale
        scores = output[:, 4:5] * output[:, 5:]
        class_id = scores.argmax(axis=1)
        score = scores.max(axis=1)
        kept = score > _CONFIDENCE
        boxes, score, class_id = boxes[kept], score[kept], class_id[kept]
        xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        chosen = cv2.dnn.NMSBoxesBatched(
            xywh.tolist(), score.tolist(), class_id.tolist(), _CONFIDENCE, _NMS
        )
        rows = np.asarray(chosen, int)
        return Detections(xyxy=boxes[rows], confidence=score[rows], class_id=class_id[rows])


def _grid(size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lay out the cell corners (in cells) and strides of all three levels, one row per cell."""
    grids, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
        grids.append(cells)
        strides.append(np.full((len(cells), 1), stride, np.float32))
    return np.concatenate(grids), np.concatenate(strides)
