"""What every detector promises, the public fake included."""

import json
import threading

import numpy as np
import pytest

from sightline.detect.detector import Detector
from sightline.detect.opening import open_detector
from sightline.media.scene import Scene, SceneSettings
from sightline.scope import Scope
from sightline.testing.detector import BlobDetector

MAKERS = {
    "blob": lambda: BlobDetector(200),
    "motion": lambda: open_detector("motion"),
    "demo": lambda: open_detector("demo"),
}


@pytest.fixture(params=MAKERS)
def detector(request):
    made = MAKERS[request.param]()
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def images():
    scene = Scene(SceneSettings(frames=30, seed=5))
    rendered = [scene.render(seq) for seq in range(30)]
    for image in rendered:
        image.flags.writeable = False
    return rendered


def test_it_is_a_detector_that_states_its_scope_before_it_is_opened(detector):
    assert isinstance(detector, Detector)
    for make in MAKERS.values():
        assert make().scope in Scope


def test_it_finds_the_same_in_the_same_images_most_confident_first(detector, images):
    found = detector.detect(images)
    assert len(found) == len(images)
    assert sum(len(detections) for detections in found) > 0
    for detections in found:
        assert np.all(np.diff(detections.confidence) <= 0)
        assert np.all((detections.confidence >= 0) & (detections.confidence <= 1))
        assert np.all(detections.xyxy[:, 2:] > detections.xyxy[:, :2])
        assert np.all(detections.class_id < len(detections.class_names))
        assert np.all(detections.track_id == -1)
    detector.close()
    detector.open()
    again = detector.detect(images)
    assert all(a.equals(b) for a, b in zip(found, again, strict=True))


def test_one_by_one_is_as_good_as_all_at_once(detector, images):
    at_once = detector.detect(images)
    detector.close()
    detector.open()
    for image, expected in zip(images, at_once, strict=True):
        (found,) = detector.detect([image])
        assert found.class_id.tolist() == expected.class_id.tolist()
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=0.01)
        np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)


def test_no_images_give_no_results_and_gray_images_are_taken(detector, images):
    assert detector.detect([]) == []
    (found,) = detector.detect([images[0][:, :, 1]])
    assert len(found) >= 0


def test_opening_and_closing_twice_does_no_harm(detector, images):
    detector.open()
    assert len(detector.detect(images[:1])) == 1
    detector.close()
    detector.close()
    detector.open()
    assert len(detector.detect(images[:1])) == 1


def test_it_describes_itself_in_json(detector):
    assert json.loads(json.dumps(detector.describe())) == detector.describe()


def test_as_many_threads_as_it_allows_get_the_results_of_one(detector, images):
    expected = detector.detect(images)
    if detector.scope is Scope.STREAM:
        assert detector.concurrency == 1
        return
    results = {}

    def work(number):
        results[number] = detector.detect(images)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(detector.concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in results.values():
        assert all(a.equals(b) for a, b in zip(found, expected, strict=True))
    assert len(results) == detector.concurrency


def test_the_fake_finds_bright_areas_where_they_are():
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:15, 10:30] = 250
    image[20:35, 40:50] = 210
    (found,) = BlobDetector(200).detect([image])
    assert found.xyxy.tolist() == [[10, 5, 30, 15], [40, 20, 50, 35]]
    assert found.confidence.tolist() == pytest.approx([250 / 255, 210 / 255])
    with pytest.raises(ValueError, match="threshold"):
        BlobDetector(255)
