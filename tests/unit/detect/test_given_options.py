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
        ({"size": 640}, "option size"),
        ({"confidence": 7}, r"confidence must be in \[0, 1\)"),
        ({"confidence": "high"}, "not supported between"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_option(given, message):
    with pytest.raises(ModelError, match=message):
        read_options("demo", given)
