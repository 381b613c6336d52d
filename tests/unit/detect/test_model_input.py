import numpy as np
import pytest

from sightline.detect.layouts.layout import TensorInfo
from sightline.detect.model_input import resolve_input
from sightline.errors import ModelError


def image(*shape, dtype="float32"):
    return TensorInfo(name="images", shape=shape, dtype=dtype)


SIZES = TensorInfo(name="orig_target_sizes", shape=("N", 2), dtype="int64")
MASK = TensorInfo(name="pixel_mask", shape=(1, 64, 64), dtype="int64")


def test_a_fixed_input_is_taken_as_it_is():
    found = resolve_input([image(1, 3, 416, 640)], {})

    assert (found.batch, found.height, found.width) == (1, 416, 640)
    assert (found.dtype, found.channels_first) == (np.dtype("float32"), True)


def test_channels_may_come_last():
    found = resolve_input([image("N", 416, 640, 3, dtype="uint8")], {})

    assert (found.batch, found.height, found.width) == (None, 416, 640)
    assert (found.dtype, found.channels_first) == (np.dtype("uint8"), False)


@pytest.mark.parametrize(
    ("metadata", "size", "expected"),
    [
        ({}, None, (640, 640)),
        ({"imgsz": "[480, 800]"}, None, (480, 800)),
        ({"imgsz": "320"}, None, (320, 320)),
        ({"imgsz": "[480, 800]"}, (256, 128), (128, 256)),
    ],
)
def test_a_free_size_is_what_is_asked_for_else_in_the_metadata_else_640(metadata, size, expected):
    found = resolve_input([image(1, 3, "height", "width")], metadata, size=size)

    assert (found.height, found.width) == expected


def test_one_free_side_is_settled_alone():
    found = resolve_input([image(1, 3, 384, "width")], {}, size=(640, 384))

    assert (found.height, found.width) == (384, 640)


def test_a_size_that_contradicts_a_fixed_one_is_refused():
    with pytest.raises(ModelError, match="input is 416x416, so it cannot be 640x416"):
        resolve_input([image(1, 3, 416, 416)], {}, size=(640, 416))


def test_a_size_in_the_metadata_that_makes_no_sense_is_an_error():
    with pytest.raises(ModelError, match="'big'"):
        resolve_input([image(1, 3, "h", "w")], {"imgsz": "big"})


def test_the_input_for_frame_sizes_is_allowed():
    assert resolve_input([image(1, 3, 64, 64), SIZES], {}).name == "images"


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [image(1, 300)],
        [image(1, 3, 64, 64), MASK],
        [image(1, 3, 64, 64), image(1, 3, 64, 64)],
        [image(1, 1, 64, 64)],
        [image(1, 3, 64, 64, dtype="int32")],
    ],
)
def test_inputs_that_are_not_those_of_a_detector_are_refused(inputs):
    with pytest.raises(ModelError, match="the model has"):
        resolve_input(inputs, {})
