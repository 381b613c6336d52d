import numpy as np
import pytest

from sightline.detect.detector import Detector
from sightline.detect.motion import MotionDetector, MotionOptions
from sightline.scope import Scope


def scene(frame, *, width=320, height=240, gray=False):
    """A noisy wall and a dark block of 20×60 that starts to cross it at frame 40."""
    random = np.random.default_rng(frame)
    image = random.normal(150, 3, (height, width, 3)).clip(0, 255).astype(np.uint8)
    if frame >= 40:
        left = 10 + 3 * (frame - 40)
        image[80:140, left : left + 20] = 30
    return image[:, :, 0].copy() if gray else image


def test_it_is_a_detector_for_one_stream():
    detector = MotionDetector()

    assert isinstance(detector, Detector)
    assert (detector.scope, detector.concurrency) == (Scope.STREAM, 1)


@pytest.mark.parametrize("gray", [False, True])
def test_what_moves_is_boxed_and_nothing_else(gray):
    detector = MotionDetector()

    results = detector.detect([scene(frame, gray=gray) for frame in range(100)])

    assert not any(len(detections) for detections in results[:40])
    for frame in range(40, 100):
        (box,) = results[frame].xyxy
        left = 10 + 3 * (frame - 40)
        np.testing.assert_allclose(box, [left, 80, left + 20, 140], atol=2)
        assert results[frame].confidence[0] > 0.9
        assert results[frame].class_name(0) == "moving"


def test_large_frames_are_scaled_down_and_their_boxes_up_again():
    options = MotionOptions(working_width=160)

    detections = MotionDetector(options).detect([scene(frame) for frame in range(60)])[-1]

    np.testing.assert_allclose(detections.xyxy, [[67, 80, 87, 140]], atol=5)


def test_nothing_is_reported_during_the_warm_up():
    frames = [scene(frame) for frame in range(40, 80)]

    results = MotionDetector(MotionOptions(warm_up=30)).detect(frames)

    assert not any(len(detections) for detections in results[:30])
    assert all(len(detections) for detections in results[30:])


def test_small_things_are_passed_over():
    options = MotionOptions(min_height=0.3)

    results = MotionDetector(options).detect([scene(frame) for frame in range(60)])

    assert not any(len(detections) for detections in results)


def test_equal_frames_give_equal_detections():
    frames = [scene(frame) for frame in range(60)]

    first, second = MotionDetector().detect(frames), MotionDetector().detect(frames)

    assert all(one.equals(other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("restart", [MotionDetector.close, lambda d: d.detect([scene(0)[:100]])])
def test_closing_and_another_frame_size_start_anew(restart):
    detector = MotionDetector()
    before = detector.detect([scene(frame) for frame in range(60)])

    restart(detector)
    after = detector.detect([scene(frame) for frame in range(60)])

    assert all(one.equals(other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("history", 0),
        ("warm_up", -1),
        ("threshold", 0),
        ("min_area", 1),
        ("min_height", -0.1),
        ("working_width", 0),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(option, value):
    with pytest.raises(ValueError, match=option):
        MotionOptions(**{option: value})
