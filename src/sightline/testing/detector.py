"""A detector for tests of what surrounds detectors: fast, stateless, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.detections import Detections
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.frame import Image

__all__ = ["BlobDetector"]


class BlobDetector:
    """Finds connected bright areas; the confidence is their mean brightness over 255.

    Args:
        threshold: A pixel is part of an object if its gray value is above; 0 to 254.
    """

    def __init__(self, threshold: int = 127) -> None:
        if not 0 <= threshold <= 254:
            raise ValueError(f"threshold must be from 0 to 254, but is {threshold}")
        self.scope = Scope.STATELESS
        self.concurrency = 2
        self.threshold = threshold

    def open(self) -> None:
        """Do nothing: there is nothing to load."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the bright areas of each image, brightest first."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> Detections:
        gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        mask = (gray > self.threshold).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        left, top, width, height = stats[1:, :4].T
        brightness = [gray[labels == i].mean() / 255 for i in range(1, len(stats))]
        order = np.argsort(np.negative(brightness), kind="stable")
        found = Detections(
            xyxy=np.stack([left, top, left + width, top + height], axis=1).astype(np.float32),
            confidence=np.asarray(brightness, np.float32),
            class_names=("blob",),
        )
        return found[order]

    def describe(self) -> dict[str, Any]:
        """State the name and the threshold."""
        return {"detector": "blob", "threshold": self.threshold}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
