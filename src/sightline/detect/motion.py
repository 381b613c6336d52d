"""A detector without weights: what moves in front of a fixed camera.

The background is modelled per pixel as a mixture of Gaussians (Zivkovic, Pattern Recognition
Letters 27, 2006, as in OpenCV); shadows are recognised by their colour and removed; what is left
is cleaned, and the fragments of one object are joined.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.detect.option_numbers import check_number, check_whole_number
from sightline.detections import Detections
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.frame import Image

__all__ = ["MotionDetector", "MotionOptions"]

_Box = tuple[int, int, int, int]

_FOREGROUND = np.array(255)
"""What the background model marks as moving; shadows have a lower value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionOptions:
    """How the motion detector tells objects from the background.

    Attributes:
        history: Number of frames over which the background is learned. What stands still for
            about so long becomes background.
        warm_up: Number of frames at the start of a stream in which nothing is reported, because
            the background is not known yet.
        threshold: Squared distance, in variances, from which a pixel is not background.
        min_area: Smallest object, as a fraction of the area of the frame.
        min_height: Smallest object, as a fraction of the height of the frame.
        working_width: Wider frames are scaled down to this width before they are compared.
    """

    history: int = 500
    warm_up: int = 20
    threshold: float = 25.0
    min_area: float = 0.0008
    min_height: float = 0.05
    working_width: int = 640

    def __post_init__(self) -> None:
        for name in ("history", "warm_up", "working_width"):
            check_whole_number(name, getattr(self, name))
        for name in ("threshold", "min_area", "min_height"):
            check_number(name, getattr(self, name))
        if self.history < 1 or self.working_width < 1:
            raise ValueError(
                "history and working_width must be 1 or more, but are "
                f"{self.history} and {self.working_width}"
            )
        if self.warm_up < 0 or self.threshold <= 0:
            raise ValueError(
                "warm_up must be 0 or more and threshold positive, but are "
                f"{self.warm_up} and {self.threshold}"
            )
        if not (0 <= self.min_area < 1 and 0 <= self.min_height < 1):
            raise ValueError(
                "min_area and min_height must be in [0, 1), but are "
                f"{self.min_area} and {self.min_height}"
            )


class MotionDetector:
    """Finds what moves; see `Detector`. For fixed cameras; every stream needs its own.

    All objects have the class "moving". The confidence is the fraction of the box that moves.
    Equal frames give equal results. A frame of another size starts a new warm-up.
    """

    scope = Scope.STREAM
    concurrency = 1

    def __init__(self, options: MotionOptions | None = None) -> None:
        self._options = options or MotionOptions()
        self._model: cv2.BackgroundSubtractorMOG2 | None = None
        self._shape: tuple[int, ...] = ()
        self._seen = 0

    def open(self) -> None:
        """Do nothing: there is nothing to load."""

    def close(self) -> None:
        """Forget the background."""
        self._model = None
        self._shape = ()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find what moves in consecutive frames of one stream; see `Detector`."""
        return [self._detect(image) for image in images]

    def describe(self) -> dict[str, Any]:
        """State name, options and version; see `Detector`."""
        return {
            "name": "motion",
            "options": asdict(self._options),
            "versions": {"opencv": cv2.__version__},
        }

    def _detect(self, image: Image) -> Detections:
        mask = self._foreground(image)
        self._seen += 1
        if self._seen <= self._options.warm_up:
            return Detections.empty(("moving",))
        boxes = np.array(self._objects(mask), np.float32).reshape(-1, 4)
        confidence = np.array([_fill(mask, box) for box in boxes.astype(int)], np.float32)
        order = np.argsort(-confidence, kind="stable")
        scale = np.array([image.shape[1] / mask.shape[1], image.shape[0] / mask.shape[0]] * 2)
        return Detections(
            xyxy=(boxes * scale)[order], confidence=confidence[order], class_names=("moving",)
        )

    def _foreground(self, image: Image) -> NDArray[Any]:
        """Compare a frame with the background and learn from it: uint8 mask of 0 and 255."""
        if self._model is None or image.shape != self._shape:
            self._shape, self._seen = image.shape, 0
            # not the k-nearest-neighbour model: it draws random numbers, results would differ
            self._model = cv2.createBackgroundSubtractorMOG2(
                history=self._options.history,
                varThreshold=self._options.threshold,
                detectShadows=True,
            )
        width = min(image.shape[1], self._options.working_width)
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        marked = self._model.apply(small)
        moving = cv2.inRange(marked, _FOREGROUND, _FOREGROUND)
        opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, _ellipse(3, 3))
        return cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _ellipse(3, 9))

    def _objects(self, mask: NDArray[Any]) -> list[_Box]:
        height, width = mask.shape
        min_area = self._options.min_area * width * height
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        fragments = [
            (x, y, x + w, y + h)
            for x, y, w, h, pixels in stats[1:].tolist()
            if pixels >= min_area / 3
        ]
        return [
            box
            for box in _join(fragments)
            if (box[2] - box[0]) * (box[3] - box[1]) >= min_area
            and box[3] - box[1] >= self._options.min_height * height
        ]


def _ellipse(width: int, height: int) -> NDArray[Any]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, height))


def _fill(mask: NDArray[Any], box: NDArray[Any]) -> float:
    inside = mask[box[1] : box[3], box[0] : box[2]]
    return cv2.countNonZero(inside) / inside.size


def _join(fragments: Sequence[_Box]) -> list[_Box]:
    """Join fragments that are parts of one object, until none are left to join.

    >>> _join([(0, 0, 10, 10), (1, 12, 9, 40), (50, 0, 60, 40)])
    [(0, 0, 10, 40), (50, 0, 60, 40)]
    """
    joined: list[_Box] = []
    for fragment in fragments:
        box = fragment
        while partner := next((other for other in joined if _belong_together(box, other)), None):
            joined.remove(partner)
            low, high = (
                zip(box[:2], partner[:2], strict=True),
                zip(box[2:], partner[2:], strict=True),
            )
            box = (*map(min, low), *map(max, high))  # type: ignore[assignment]
        joined.append(box)
    return joined


def _belong_together(one: _Box, other: _Box) -> bool:
    """Tell whether two boxes lie above each other and close, as head and legs of a person do."""
    shared = min(one[2], other[2]) - max(one[0], other[0])
    gap = max(one[1], other[1]) - min(one[3], other[3])
    narrower = min(one[2] - one[0], other[2] - other[0])
    taller = max(one[3] - one[1], other[3] - other[1])
    return shared >= narrower / 2 and gap <= 0.3 * taller
