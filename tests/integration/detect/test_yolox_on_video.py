"""The detector against what the model authors' own code finds in the same frames."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sightline.boxes import iou_matrix
from sightline.detect.onnx_detector import OnnxDetector
from sightline.detect.onnx_options import OnnxOptions
from sightline.media.opening import open_source

VIDEOS = ["pedestrians", "one-by-one-person"]


@pytest.fixture(scope="module", params=VIDEOS)
def reference(request, shared_data):
    """Frames of a video and the rows x1, y1, x2, y2, confidence, class expected in each."""
    text = (shared_data / "expected" / f"{request.param}.yolox_nano.json").read_text()
    expected = {int(seq): np.array(rows).reshape(-1, 6) for seq, rows in json.loads(text).items()}
    source = open_source(shared_data / "videos" / f"{request.param}.mp4")
    try:
        frames = {f.seq: f.image for f in source.frames() if f.seq in expected}
    finally:
        source.close()
    return [(frames[seq], rows) for seq, rows in expected.items()]


@pytest.fixture(scope="module")
def model(shared_data):
    return shared_data / "models" / "yolox_nano.onnx"


def assert_found(detections, rows):
    """Every row is found once, and nothing else is."""
    assert len(detections) == len(rows)
    if not len(rows):
        return
    overlap = iou_matrix(rows[:, :4], detections.xyxy)
    overlap[rows[:, 5][:, None] != detections.class_id] = 0
    match = overlap.argmax(axis=1)
    assert len(set(match.tolist())) == len(rows)
    assert overlap.max(axis=1).min() >= 0.99
    np.testing.assert_allclose(detections.confidence[match], rows[:, 4], atol=0.01)
    assert np.all(np.diff(detections.confidence) <= 0)


def test_yolox_nano_finds_what_is_expected_and_nothing_else(reference, model):
    detector = OnnxDetector(model)
    detector.open()
    assert detector.describe()["layout"] == "yolox"

    with ThreadPoolExecutor(detector.concurrency) as pool:
        results = list(pool.map(lambda pair: detector.detect([pair[0]])[0], reference))

    assert sum(len(rows) for _, rows in reference) > 0
    for detections, (_, rows) in zip(results, reference, strict=True):
        assert_found(detections, rows)


def test_people_alone_are_found_when_only_they_are_asked_for(reference, model):
    detector = OnnxDetector(model, options=OnnxOptions(classes=("person",)))
    detector.open()

    results = detector.detect([image for image, _ in reference])

    for detections, (_, rows) in zip(results, reference, strict=True):
        assert_found(detections, rows[rows[:, 5] == 0])
