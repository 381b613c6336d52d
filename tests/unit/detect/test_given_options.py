from pathlib import Path

import pytest

from sightline.detect.given_options import read_options
from sightline.detect.layouts.layout import Layout
from sightline.detect.motion import MotionOptions
from sightline.detect.nms import Suppression
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.onnx_runtime import Provider
from sightline.errors import ModelError


def test_nothing_given_leaves_the_choice_to_the_detector():
    assert read_options("yolox-s", {}) is None


def test_plain_values_become_options():
    given = {
        "confidence": 0.5,
        "classes": "person, car",
        "layout": "yolov8",
        "names": "names.txt",
        "provider": "cpu",
        "size": [640, 480],
        "suppression": "agnostic",
    }

    assert read_options("model.onnx", given) == OnnxOptions(
        confidence=0.5,
        classes=("person", "car"),
        layout=Layout.YOLOV8,
        names=Path("names.txt"),
        provider=Provider.CPU,
        size=(640, 480),
        suppression=Suppression.AGNOSTIC,
    )


def test_motion_has_options_of_its_own():
    assert read_options("motion", {"warm_up": 5}) == MotionOptions(warm_up=5)
    with pytest.raises(ModelError, match="'motion' has no option 'confidence'; it has: history"):
        read_options("motion", {"confidence": 0.5})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layout": "yolo"}, "option layout: 'yolo' is none of yolox"),
        ({"size": 640}, "option size must be a list, but is 640"),
        ({"size": ["wide", 480]}, "size must be a whole number, but is 'wide'"),
        ({"classes": 3}, "option classes must be a list, but is 3"),
        ({"confidence": 7}, r"confidence must be in \[0, 1\)"),
        ({"confidence": "high"}, "confidence must be a number, but is 'high'"),
        ({"nms": True}, "nms must be a number, but is True"),
        ({"max_detections": 2.5}, "max_detections must be a whole number, but is 2.5"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_option(given, message):
    with pytest.raises(ModelError, match=message):
        read_options("demo", given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"history": "long"}, "history must be a whole number, but is 'long'"),
        ({"threshold": None}, "threshold must be a number, but is None"),
    ],
)
def test_a_wrong_value_for_motion_is_an_error_that_names_the_option(given, message):
    with pytest.raises(ModelError, match=message):
        read_options("motion", given)
