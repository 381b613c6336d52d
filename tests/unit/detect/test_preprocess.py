import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.detect.preprocess import (
    DETR,
    RF_DETR,
    ULTRALYTICS,
    YOLOX,
    FitMode,
    InputFormat,
    Preprocessor,
    fit_frame,
)


def random_frame(width=48, height=36, *, gray=False, seed=0):
    shape = (height, width) if gray else (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def prepare(frames, convention, *, size=(64, 64), dtype="float32", channels_first=True):
    target = InputFormat(
        name="images",
        batch=None,
        height=size[1],
        width=size[0],
        dtype=np.dtype(dtype),
        channels_first=channels_first,
    )
    preprocessor = Preprocessor(target, convention)
    return preprocessor.prepare(frames, preprocessor.fit(frames[0])).copy()


def resized(frame, width, height):
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)


def test_yolox_gets_bgr_levels_in_the_top_left_corner_on_gray():
    frame = random_frame()

    (tensor,) = prepare([frame], YOLOX)

    expected = np.full((64, 64, 3), 114, np.float32)
    expected[:48, :64] = resized(frame, 64, 48)
    np.testing.assert_array_equal(tensor, expected.transpose(2, 0, 1))


def test_ultralytics_gets_rgb_from_0_to_1_in_the_middle():
    frame = random_frame()

    (tensor,) = prepare([frame], ULTRALYTICS)

    expected = np.full((64, 64, 3), 114, np.float32)
    expected[8:56] = resized(frame, 64, 48)
    np.testing.assert_allclose(tensor, expected[..., ::-1].transpose(2, 0, 1) / 255, atol=1e-7)


def test_detr_gets_rgb_from_0_to_1_stretched():
    frame = random_frame()

    (tensor,) = prepare([frame], DETR)

    expected = resized(frame, 64, 64)[..., ::-1].transpose(2, 0, 1)
    np.testing.assert_allclose(tensor, expected / np.float32(255), atol=1e-7)


def test_rf_detr_gets_the_normalisation_of_imagenet():
    frame = random_frame(64, 64)

    (tensor,) = prepare([frame], RF_DETR)

    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (frame[..., ::-1] / 255 - mean) / deviation
    np.testing.assert_allclose(tensor, expected.transpose(2, 0, 1), atol=1e-6)


@pytest.mark.parametrize("convention", [YOLOX, ULTRALYTICS, DETR, RF_DETR])
def test_float16_is_float32_rounded(convention):
    frame = random_frame()

    half = prepare([frame], convention, dtype="float16")

    assert half.dtype == np.float16
    np.testing.assert_allclose(half, prepare([frame], convention), rtol=1e-3)


def test_uint8_models_get_gray_levels_whatever_the_convention_scales_to():
    frame = random_frame(64, 64)

    (tensor,) = prepare([frame], RF_DETR, dtype="uint8")

    np.testing.assert_array_equal(tensor, frame[..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("convention", [YOLOX, ULTRALYTICS])
def test_channels_last_is_the_same_transposed(convention, dtype):
    frame = random_frame()

    last = prepare([frame], convention, dtype=dtype, channels_first=False)

    first = prepare([frame], convention, dtype=dtype)
    np.testing.assert_array_equal(last, first.transpose(0, 2, 3, 1))


def test_a_gray_frame_is_the_same_as_its_three_equal_channels():
    gray = random_frame(gray=True)

    np.testing.assert_array_equal(
        prepare([gray], ULTRALYTICS), prepare([np.stack([gray] * 3, -1)], ULTRALYTICS)
    )


def test_every_frame_of_a_batch_is_prepared_as_if_it_were_alone():
    frames = [random_frame(seed=seed) for seed in range(3)]

    batch = prepare(frames, ULTRALYTICS)

    for row, frame in enumerate(frames):
        np.testing.assert_array_equal(batch[row], prepare([frame], ULTRALYTICS)[0])


def test_frames_of_another_size_leave_nothing_of_the_frames_before():
    target = InputFormat(name="images", batch=1, height=64, width=64, dtype=np.dtype("float32"))
    preprocessor = Preprocessor(target, YOLOX)
    wide, tall = random_frame(64, 20), random_frame(20, 64)

    for frame in (wide, tall, wide):
        tensor = preprocessor.prepare([frame], preprocessor.fit(frame))
        np.testing.assert_array_equal(tensor, prepare([frame], YOLOX))


def test_the_frame_itself_is_not_touched():
    frame = random_frame(64, 64)
    before = frame.copy()
    frame.flags.writeable = False

    prepare([frame], RF_DETR)

    np.testing.assert_array_equal(frame, before)


sides = st.integers(1, 4000)
inputs = st.integers(32, 1280)


@given(sides, sides, inputs, inputs, st.sampled_from(FitMode))
def test_the_scaled_frame_lies_inside_the_input(width, height, input_width, input_height, mode):
    fit = fit_frame((width, height), (input_width, input_height), mode)

    assert min(fit.offset) >= 0
    assert fit.offset[0] + fit.size[0] <= input_width
    assert fit.offset[1] + fit.size[1] <= input_height


@given(sides, sides, inputs, inputs, st.sampled_from(FitMode))
def test_boxes_survive_the_way_there_and_back(width, height, input_width, input_height, mode):
    fit = fit_frame((width, height), (input_width, input_height), mode)
    boxes = np.array([[0, 0, width, height], [width / 4, 0, width / 2, height / 3]])
    there = boxes * (fit.scale * 2) + fit.offset * 2

    np.testing.assert_allclose(fit.to_frame(there), boxes, atol=1e-3 * max(width, height))
