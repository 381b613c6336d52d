"""Frames and streams for the tests of sinks."""

from fractions import Fraction

import numpy as np
import pytest

from sightline.detections import Detections
from sightline.frame import Frame
from sightline.stream import StreamInfo


@pytest.fixture(scope="session")
def street():
    return StreamInfo(name="street", width=8, height=6, time_base=Fraction(1, 30))


@pytest.fixture(scope="session")
def frame_with():
    """Give a function that makes a frame with given detections."""

    def make(seq=0, *, pts=0, **detections):
        detections = {"xyxy": np.empty((0, 4), np.float32), **detections}
        return Frame(
            image=np.zeros((6, 8, 3), np.uint8),
            seq=seq,
            pts=pts,
            time_base=Fraction(1, 30),
            detections=Detections(**detections),
        )

    return make


@pytest.fixture(scope="session")
def written(street):
    """Give a function that writes frames with a sink and returns where the output is."""

    def write(sink, *frames):
        sink.open(street)
        for frame in frames:
            sink.write(frame)
        sink.close()
        return sink.path

    return write
