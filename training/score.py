"""How well a model finds the objects of generated scenes, with the product's own detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.detect.onnx_detector import OnnxDetector
from sightline.detect.onnx_options import OnnxOptions
from sightline.evaluate.detection import AveragePrecision, JudgedFrame, average_precision
from sightline.media.scene import Scene, SceneSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["score"]

_CONFIDENCE = 0.01  # average precision wants the doubtful ones, too
_MIN_VISIBILITY = 0.3
_EVERY = 15  # frames between two that are judged


def score(model: Path, scenes: Iterable[SceneSettings]) -> AveragePrecision:
    """Measure the average precision at IoU 0.5 over every 15th frame of each scene.

    Objects of which less than 30 % is seen need not be found.
    """
    detector = OnnxDetector(model, options=OnnxOptions(confidence=_CONFIDENCE))
    detector.open()
    frames = []
    for settings in scenes:
        scene = Scene(settings)
        for seq in range(0, settings.frames, _EVERY):
            truth = scene.truth(seq)
            (found,) = detector.detect([scene.render(seq)])
            difficult = truth.visibility < _MIN_VISIBILITY
            frames.append(JudgedFrame(truth=truth.detections, found=found, difficult=difficult))
    detector.close()
    return average_precision(frames)
