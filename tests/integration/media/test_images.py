"""Folders of images and single images."""

from __future__ import annotations

import os
import struct
from contextlib import closing
from fractions import Fraction

import cv2
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions


def picture(value, size=(40, 30)):
    return np.full((size[1], size[0], 3), (value, 10, 20), np.uint8)


def write_image(path, image):
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def read(spec, **options):
    with closing(open_source(spec, options=SourceOptions(**options))) as source:
        return list(source.frames()), source


def test_images_come_in_natural_order(tmp_path):
    for number in (10, 9, 100, 1):
        write_image(tmp_path / f"frame{number}.png", picture(number))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    frames, source = read(tmp_path, frame_rate=Fraction(30))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10, 100]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 30) for i in range(4)]
    info = source.info
    assert (info.width, info.height, info.frame_count) == (40, 30, 4)
    assert info.name == tmp_path.name.strip("-.")
    assert info.frame_rate == 30
    assert not source.losses


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tiff", "tif", "PNG", "jpg", "jpeg"])
def test_every_kind_of_image_is_read(suffix, tmp_path):
    write_image(tmp_path / f"a.{suffix}", picture(200))
    (frame,), _ = read(tmp_path)
    assert frame.image[5, 5].tolist() == pytest.approx([200, 10, 20], abs=4)
    assert not frame.image.flags.writeable


@pytest.mark.parametrize(
    "image",
    [
        np.full((30, 40), 90, np.uint8),
        np.full((30, 40, 4), 90, np.uint8),
        np.full((30, 40, 3), 90 * 257, np.uint16),
    ],
)
def test_gray_alpha_and_sixteen_bits_become_bgr_of_eight_bits(image, tmp_path):
    write_image(tmp_path / "a.png", image)
    (frame,), _ = read(tmp_path)
    assert frame.image.shape == (30, 40, 3)
    assert (frame.image == 90).all()


def test_the_orientation_of_a_photograph_is_applied(tmp_path):
    jpeg = cv2.imencode(".jpg", picture(200))[1].tobytes()
    turn_right = 6
    entry = struct.pack(">HHHIHH", 1, 0x112, 3, 1, turn_right, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + entry + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    (frame,), source = read(tmp_path)
    assert frame.image.shape == (40, 30, 3)
    assert (source.info.width, source.info.height) == (30, 40)


def test_images_may_differ_in_size(tmp_path):
    write_image(tmp_path / "1.png", picture(1))
    write_image(tmp_path / "2.png", picture(2, (50, 20)))
    frames, source = read(tmp_path)
    assert [frame.image.shape[:2] for frame in frames] == [(30, 40), (20, 50)]
    assert (source.info.width, source.info.height) == (40, 30)


def test_a_damaged_image_is_counted_and_leaves_no_gap_in_the_numbers(tmp_path):
    for number in range(5):
        write_image(tmp_path / f"{number}.png", picture(number))
    (tmp_path / "0.png").write_bytes(b"nothing")
    (tmp_path / "3.png").write_bytes(b"")
    frames, source = read(tmp_path)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 4]
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.pts for frame in frames] == [1, 2, 4]
    assert source.losses.corrupt_frames == 2
    assert source.losses.messages == ["2 frames could not be decoded (first at 0.00 s)"]


def test_a_folder_of_damaged_images_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="none of the 1 images can be decoded"):
        open_source(tmp_path)


def test_a_single_image_is_a_stream_of_one_frame(tmp_path):
    write_image(tmp_path / "photo.png", picture(7))
    (frame,), source = read(tmp_path / "photo.png")
    assert frame.stream == source.info.name == "photo"
    assert source.info.frame_count == 1


def test_a_range_of_images(tmp_path):
    for number in range(10):
        write_image(tmp_path / f"{number}.png", picture(number))
    frames, source = read(tmp_path, frame_rate=Fraction(10), start_s=0.3, end_s=0.6)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [3, 4, 5]
    assert [frame.pts for frame in frames] == [3, 4, 5]
    assert source.info.frame_count == 3
    with pytest.raises(MediaError, match="no image between 2 s and 3 s"):
        open_source(tmp_path, options=SourceOptions(start_s=2, end_s=3))


def test_closing_ends_the_stream(tmp_path):
    for number in range(5):
        write_image(tmp_path / f"{number}.png", picture(number))
    source = open_source(tmp_path)
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
