"""Any object with these five methods and two attributes is a detector."""

from collections.abc import Sequence

import cv2
import numpy as np

import sightline as sl


class RedThings:
    """Finds strongly red areas."""

    scope = sl.Scope.STATELESS
    concurrency = 2

    def open(self) -> None:
        """Nothing to load."""

    def detect(self, images: Sequence[sl.Image]) -> list[sl.Detections]:
        return [self.detect_one(image) for image in images]

    def detect_one(self, image: sl.Image) -> sl.Detections:
        blue, green, red = cv2.split(image.astype(np.int16))
        mask = (red - np.maximum(blue, green) > 60).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        stats = stats[1:][stats[1:, cv2.CC_STAT_AREA] > 80]
        left, top, width, height = stats[:, :4].T
        boxes = np.stack([left, top, left + width, top + height], axis=1)
        return sl.Detections(xyxy=boxes, class_names=("red thing",))

    def describe(self) -> dict[str, str]:
        return {"detector": "red things"}

    def close(self) -> None:
        """Nothing to release."""


for frame in sl.track("scene:street?frames=60", RedThings()):
    if frame.seq % 20 == 0:
        print(frame.seq, len(frame.detections), "red things")
