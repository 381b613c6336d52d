"""The motion detector against the people that YOLOX-Nano sees in the same frames."""

import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sightline.boxes import iou_matrix
from sightline.detect.motion import MotionDetector
from sightline.media.opening import open_source

PERSON = 0
WARM_UP = 50
BOARD = [[18.7, 68.0, 30.0, 89.0]]
"""It stands on the lawn, and YOLOX-Nano takes it for a person in most frames."""


@pytest.fixture(scope="module")
def found(shared_data):
    """Per frame of the pedestrians video, the boxes of what moves."""
    detector = MotionDetector()
    source = open_source(shared_data / "videos" / "pedestrians.mp4")
    try:
        return [detector.detect([frame.image])[0].xyxy for frame in source.frames()]
    finally:
        source.close()


@pytest.fixture(scope="module")
def people(shared_data):
    """Per compared frame, the boxes of people, as YOLOX-Nano sees them."""
    text = (shared_data / "expected" / "pedestrians.yolox_nano.json").read_text()
    boxes = {
        int(seq): np.array([row[:4] for row in rows if row[5] == PERSON])
        for seq, rows in json.loads(text).items()
        if int(seq) >= WARM_UP
    }
    return {seq: rows[iou_matrix(rows, BOARD)[:, 0] < 0.5] for seq, rows in boxes.items()}


@pytest.mark.parametrize("iou", [0.3, 0.4])
def test_most_pedestrians_are_followed_and_little_else(found, people, iou):
    matched = reported = present = 0
    for seq, boxes in people.items():
        overlap = iou_matrix(boxes, found[seq])
        rows, columns = linear_sum_assignment(-overlap)
        matched += int((overlap[rows, columns] >= iou).sum())
        reported += len(found[seq])
        present += len(boxes)

    # measured: recall 0.83 and precision 0.96 at 0.3, 0.82 and 0.95 at 0.4; what is missing are
    # people who walk close together, or stand still
    assert present > 80
    assert matched / present >= 0.8
    assert matched / reported >= 0.9
