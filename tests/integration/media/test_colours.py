"""Known colours, stored with the matrix and range that the stream states, come out right."""

from __future__ import annotations

from contextlib import closing

import av
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source

RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""The weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020)."""

MATRIX = {"bt709": 1, "unspecified": 2, "reserved": 3, "bt601": 6, "ycgco": 8, "bt2020": 9}
"""Code points of ITU-T H.273, table 4."""

COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (200, 120, 40),
    (40, 80, 160),
]


def encode(rgb, *, matrix, full, bits):
    """Colour to luma and chroma as the recommendations define them."""
    red_weight, blue_weight = RED_BLUE[matrix]
    red, green, blue = (value / 255 for value in rgb)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = (
        (blue - luma) / (2 * (1 - blue_weight)),
        (red - luma) / (2 * (1 - red_weight)),
    )
    top = 2**bits - 1
    scale = 2 ** (bits - 8)
    if full:
        values = [luma * top, *(value * top + 128 * scale for value in chroma)]
    else:
        values = [(16 + 219 * luma) * scale, *((128 + 224 * value) * scale for value in chroma)]
    return [min(top, round(value)) for value in values]


def write_colours(path, *, matrix, full, pixels, stated=None, size=(64, 48)):
    """One frame per colour, lossless."""
    bits = 10 if "10" in pixels else 8
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.colorspace = MATRIX[stated or matrix]
        stream.codec_context.color_range = 2 if full else 1
        for index, rgb in enumerate(COLOURS):
            frame = av.VideoFrame(*size, pixels)
            values = encode(rgb, matrix=matrix, full=full, bits=bits)
            for plane, value in zip(frame.planes, values, strict=True):
                kind = np.uint16 if bits > 8 else np.uint8
                plane.update(np.full(plane.buffer_size // kind().itemsize, value, kind))
            frame.pts = index
            frame.colorspace = MATRIX[stated or matrix]
            frame.color_range = 2 if full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_colours(path):
    with closing(open_source(path)) as source:
        for frame in source.frames():
            pixels = frame.image.reshape(-1, 3)
            assert np.ptp(pixels, axis=0).max() <= 3  # rounding differs between rows
            yield tuple(int(value) for value in pixels[0, ::-1])


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", RED_BLUE)
def test_stated_matrix_and_range_are_honoured(matrix, full, pixels, size, tmp_path):
    path = write_colours(tmp_path / "a.mkv", matrix=matrix, full=full, pixels=pixels, size=size)
    for expected, found in zip(COLOURS, read_colours(path), strict=True):
        assert found == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("stated", ["unspecified", "reserved"])
def test_a_stream_that_states_no_matrix_is_taken_as_bt601(stated, tmp_path):
    path = write_colours(
        tmp_path / "a.mkv", matrix="bt601", full=False, pixels="yuv420p", stated=stated
    )
    for expected, found in zip(COLOURS, read_colours(path), strict=True):
        assert found == pytest.approx(expected, abs=3)


def test_a_matrix_that_cannot_be_converted_is_refused_when_the_source_is_opened(tmp_path):
    path = write_colours(
        tmp_path / "a.mkv", matrix="bt601", full=False, pixels="yuv420p", stated="ycgco"
    )
    with pytest.raises(MediaError, match=r"a\.mkv: its colours cannot be converted to BGR"):
        open_source(path)


def test_gray_is_delivered_as_stored(tmp_path):
    path = tmp_path / "gray.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        for value in (0, 17, 130, 255):
            frame = av.VideoFrame(64, 48, "gray")
            frame.planes[0].update(np.full(frame.planes[0].buffer_size, value, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert list(read_colours(path)) == [(v, v, v) for v in (0, 17, 130, 255)]


def test_alpha_is_dropped(tmp_path):
    path = tmp_path / "alpha.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        image = np.full((48, 64, 4), (10, 20, 30, 0), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgra")))
        container.mux(stream.encode(None))
    assert list(read_colours(path)) == [(30, 20, 10)]
