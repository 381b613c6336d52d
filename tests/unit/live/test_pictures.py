"""Pictures for viewers: they fit, keep their colours, and share nothing with the frame."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.live.pictures import PictureSettings, copy_to_fit, encode_jpeg, encode_ppm

sides = st.integers(1, 300)


@given(width=sides, height=sides, room=st.tuples(sides, sides), gray=st.booleans())
def test_a_picture_fits_into_the_room_and_keeps_its_proportions(width, height, room, gray):
    image = np.zeros((height, width) if gray else (height, width, 3), np.uint8)
    picture = copy_to_fit(image, width=room[0], height=room[1], enlarge=True)
    assert picture.ndim == image.ndim
    assert picture.shape[1] <= room[0]
    assert picture.shape[0] <= room[1]
    assert picture.shape[1] == room[0] or picture.shape[0] == room[1]
    scale = min(room[0] / width, room[1] / height)
    assert picture.shape[1] == pytest.approx(width * scale, abs=1)
    assert picture.shape[0] == pytest.approx(height * scale, abs=1)


@pytest.mark.parametrize("room", [{}, {"width": 5}, {"width": 40, "enlarge": True}])
def test_a_picture_shares_no_memory_with_the_image(room):
    image = np.zeros((10, 20, 3), np.uint8)
    picture = copy_to_fit(image, **room)
    image[:] = 255
    assert not picture.any()


def test_an_image_too_long_for_jpeg_is_scaled_down():
    picture = copy_to_fit(np.zeros((2, 70_000), np.uint8))
    assert picture.shape == (2, 65_500)
    assert encode_jpeg(picture, 80)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8)])
def test_jpeg_keeps_size_channels_and_colours(shape):
    image = np.full(shape, 90, np.uint8)
    if len(shape) == 3:
        image[:] = (200, 100, 20)
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(image, 95), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.shape == shape
    assert np.abs(decoded.astype(int) - image).max() <= 6


def test_ppm_of_a_gray_image_is_gray_in_three_channels():
    assert encode_ppm(np.full((1, 2), 7, np.uint8)) == b"P6 2 1 255\n" + b"\x07" * 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"quality": 0}, "quality must be from 1 to 100, but is 0"),
        ({"quality": 101}, "but is 101"),
        ({"max_width": 0}, "max_width must be 1 or more, but is 0"),
        ({"max_rate": 0}, r"max_rate must be in \(0, 1000\], but is 0"),
        ({"max_rate": float("nan")}, "but is nan"),
    ],
)
def test_wrong_settings_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        PictureSettings(**wrong)
