"""From a decoded picture, in whatever format its codec has, to the pixels of a frame."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from av.filter import Graph

if TYPE_CHECKING:
    from av import VideoFrame

    from sightline.frame import Image

__all__ = ["PixelConverter"]

_RESERVED_MATRIX = 3
_UNSPECIFIED_MATRIX = 2
_QUARTERS = {0: (False, None), 90: (True, 0), 180: (False, -1), 270: (True, 1)}
"""Counterclockwise rotation: whether to transpose, then which way `cv2.flip` mirrors."""


class PixelConverter:
    """Converts pictures to upright uint8 BGR.

    The colour matrix and range are those that the stream states; a stream that states none is
    taken as BT.601, as FFmpeg and OpenCV do, so that frames equal theirs bit for bit. Gray is
    delivered as stored, alpha is dropped, more than 8 bits are rounded to 8, and HDR is not
    tone-mapped. A display matrix that rotates by a multiple of 90 degrees or mirrors is applied.

    One converter serves one stream. It converts in a filter graph, which is set up once and keeps
    a pool of images: memory comes back to it when a frame is dropped, and is not asked of the
    system again for every frame. It uses the calling thread only, because inference needs the
    other cores.
    """

    def __init__(self) -> None:
        self._traits: tuple[object, ...] = ()
        self._graph = Graph()
        self._rotation: int | None = None
        self._turn: tuple[bool, int | None] = (False, None)

    def convert(self, picture: VideoFrame) -> Image:
        """Return the pixels of a picture: (H, W, 3), contiguous, read-only, owned by the caller.

        Raises:
            av.FFmpegError: The colour space cannot be converted (YCgCo, ICtCp).
        """
        if picture.colorspace == _RESERVED_MATRIX:  # says nothing, and the scaler rejects it
            picture.colorspace = _UNSPECIFIED_MATRIX
        size, colours = (picture.width, picture.height), (picture.colorspace, picture.color_range)
        traits = (size, picture.format.name, colours)
        if traits != self._traits:
            self._graph, self._traits = _graph_for(picture), traits
        self._graph.vpush(picture)
        converted = self._graph.vpull()
        if picture.rotation != self._rotation:
            # Looking at side data makes a reference cycle, which keeps the picture in memory
            # until the garbage collector comes by; so look only where there is something new.
            self._rotation, self._turn = picture.rotation, _orientation(picture)
        image = upright(np.asarray(converted.to_ndarray(), np.uint8), self._turn)
        image = np.ascontiguousarray(image)
        image.flags.writeable = False
        return image


def _graph_for(picture: VideoFrame) -> Graph:
    """Set up the conversion of pictures like this one to BGR of the same size."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=Fraction(1, 1000),  # demanded, but without effect
    )
    # The same algorithm as `VideoFrame.to_ndarray`, and bit for bit the same result.
    scale = graph.add("scale", "flags=bilinear")
    graph.link_nodes(source, scale, graph.add("format", "bgr24"), graph.add("buffersink"))
    graph.configure()
    return graph


def upright(image: Image, orientation: tuple[bool, int | None]) -> Image:
    """Transpose an image, then mirror it as `cv2.flip` does with that code; None: neither."""
    transposed, flip = orientation
    if transposed:
        image = np.asarray(cv2.transpose(image), np.uint8)
    if flip is not None:
        image = np.asarray(cv2.flip(image, flip), np.uint8)
    return image


def _orientation(picture: VideoFrame) -> tuple[bool, int | None]:
    """Read how a picture must be turned from its display matrix.

    The matrix is nine 16.16 fixed-point numbers a b u c d v x y w, and a point (x, y) of the
    picture is shown at (a x + c y, b x + d y) (ISO/IEC 14496-12, 8.3.2.3).
    """
    try:
        data: Any = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV fails on side data that it does not know; it still has the angle
        return _QUARTERS.get(picture.rotation % 360, (False, None))
    if data is None:
        return False, None
    a, b, _, c, d = struct.unpack_from("=5i", data)
    if a == d == 0:
        return True, _flip_code(mirrored=c < 0, upside_down=b < 0)
    if b == c == 0:
        return False, _flip_code(mirrored=a < 0, upside_down=d < 0)
    return False, None


def _flip_code(*, mirrored: bool, upside_down: bool) -> int | None:
    """Code of `cv2.flip`: 1 mirrors left and right, 0 top and bottom, -1 both."""
    return {(True, False): 1, (False, True): 0, (True, True): -1}.get((mirrored, upside_down))
