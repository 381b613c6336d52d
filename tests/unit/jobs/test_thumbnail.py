"""Small pictures of videos."""

import cv2
import numpy as np
import pytest

from sightline.jobs.thumbnail import choose_picture, write_thumbnail
from sightline.testing.source import ListSource


def black(shape=(48, 64, 3)):
    return np.zeros(shape, np.uint8)


def busy(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)


def test_the_first_picture_with_contrast_is_chosen():
    source = ListSource([black(), black() + 9, busy(1), busy(2)])
    assert np.array_equal(choose_picture(source.frames()), busy(1))


def test_of_dull_pictures_the_one_with_most_contrast_is_chosen():
    faint = black()
    faint[24:] = 5
    assert np.array_equal(choose_picture(ListSource([black(), faint, black()]).frames()), faint)


def test_no_more_frames_are_read_than_needed():
    frames = ListSource([busy(), busy(1)]).frames()
    choose_picture(frames)
    assert len(list(frames)) == 1
    frames = ListSource([black()] * 150).frames()
    choose_picture(frames)
    assert len(list(frames)) == 50


def test_without_frames_there_is_nothing_to_choose():
    with pytest.raises(ValueError, match="at least one frame"):
        choose_picture([])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1080, 1920, 3), (270, 480)),
        ((120, 160, 3), (120, 160)),
        ((120, 160), (120, 160)),
        ((1, 4000, 3), (1, 480)),
    ],
)
def test_a_thumbnail_is_a_jpeg_of_at_most_480_pixels_width(tmp_path, shape, expected):
    image = np.full(shape, 90, np.uint8)
    image.flags.writeable = False
    path = tmp_path / "thumbnail.jpg"
    write_thumbnail(image, path)
    read = cv2.imread(str(path))
    assert read.shape[:2] == expected
    assert abs(int(read.mean()) - 90) < 3
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    assert [entry.name for entry in tmp_path.iterdir()] == ["thumbnail.jpg"]
