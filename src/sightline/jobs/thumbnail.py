"""The small picture by which people recognise a video."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.frame import Frame, Image

__all__ = ["choose_picture", "write_thumbnail"]

_MOST_FRAMES = 100
_ENOUGH_CONTRAST = 20.0
_SAMPLE_STEP = 8
_WIDEST = 480
_QUALITY = 80


def choose_picture(frames: Iterable[Frame]) -> Image:
    """Choose the image of an early frame on which there is something to see.

    Videos often begin with black or a fade: the first of 100 frames that has some contrast is
    taken, else the one that has most.

    Args:
        frames: From the beginning of a video; at least one. No more are read than needed.

    >>> from sightline.media.opening import open_source
    >>> choose_picture(open_source("scene:street?frames=3").frames()).ndim
    3
    """
    best, most = None, -1.0
    for frame in islice(frames, _MOST_FRAMES):
        contrast = float(np.std(frame.image[::_SAMPLE_STEP, ::_SAMPLE_STEP]))
        if contrast > most:
            best, most = frame.image, contrast
        if contrast >= _ENOUGH_CONTRAST:
            break
    if best is None:
        raise ValueError("a picture is chosen of at least one frame, but there is none")
    return best


def write_thumbnail(image: Image, path: Path) -> None:
    """Write an image as JPEG, at most 480 pixels wide; the file is whole or not there.

    Args:
        image: uint8, (H, W, 3) BGR or (H, W) gray.
        path: Where; the folder exists.

    Raises:
        OSError: The file cannot be written.
    """
    height, width = image.shape[:2]
    if width > _WIDEST:
        size = (_WIDEST, max(1, round(height * _WIDEST / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content.tobytes())
    part.replace(path)
