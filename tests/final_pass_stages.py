"""Stages for tests of the final pass, by names that a definition can give."""

import numpy as np

from sightline import Scope, Stage
from sightline.testing.detector import BlobDetector


class Blobs(Stage):
    """Finds the bright areas."""

    changes_image = False

    def open(self):
        self.detector = BlobDetector()

    def process(self, frame):
        (found,) = self.detector.detect([frame.image])
        return frame.replace(detections=found, data={"bright": len(found)})


class DropsEvery(Stage):
    """Drops every `step`th frame by its time stamp, in whatever process it is."""

    changes_image = False
    reads_image = False

    def __init__(self, step):
        self.step = step

    def process(self, frame):
        return None if frame.pts // 512 % self.step == self.step - 1 else frame


class RaisesEvery(DropsEvery):
    """Raises instead."""

    def process(self, frame):
        if super().process(frame) is None:
            raise ValueError(f"cannot stand {frame.pts}")
        return frame


class DropsThirds(DropsEvery):
    """Drops in the final pass: it needs the frames in order."""

    scope = Scope.STREAM


class RaisesThirds(RaisesEvery):
    """Raises in the final pass."""

    scope = Scope.STREAM


class Brightness(Stage):
    """Makes the confidence of all objects depend on all images so far, and on `data`."""

    scope = Scope.STREAM
    changes_image = False

    def open(self):
        self.total = 0

    def process(self, frame):
        self.total += int(frame.image.sum()) + frame.data["bright"]
        found = frame.detections
        confidence = np.full(len(found), self.total % 9973 / 9973, np.float32)
        return frame.replace(detections=found.replace(confidence=confidence))
