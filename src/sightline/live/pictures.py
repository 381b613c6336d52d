"""From a frame's image to what a viewer is sent: copied, made to fit, encoded.

It knows images alone: nothing of streams, viewers or servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from sightline.frame import Image

__all__ = ["PictureSettings", "copy_to_fit", "encode_jpeg", "encode_ppm"]

_LONGEST_JPEG_SIDE = 65_500  # what libjpeg writes


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """What viewers get to see.

    Attributes:
        quality: Quality of JPEG, 1 to 100.
        max_width: Wider images are scaled down to this many pixels; None leaves them as they are.
        max_rate: The most pictures per second and stream.
    """

    quality: int = 80
    max_width: int | None = None
    max_rate: float = 25.0

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be from 1 to 100, but is {self.quality}")
        if self.max_width is not None and self.max_width < 1:
            raise ValueError(f"max_width must be 1 or more, but is {self.max_width}")
        if not 0 < self.max_rate <= 1000:
            raise ValueError(f"max_rate must be in (0, 1000], but is {self.max_rate}")


def copy_to_fit(
    image: Image,
    *,
    width: int = _LONGEST_JPEG_SIDE,
    height: int = _LONGEST_JPEG_SIDE,
    enlarge: bool = False,
) -> Image:
    """Copy an image, scaled so that it fits into a box; the proportions stay.

    Args:
        image: uint8, (H, W, 3) or (H, W), not empty.
        width: Width of the box in pixels.
        height: Height of the box in pixels.
        enlarge: Whether an image that is smaller than the box grows to fill it.

    Returns:
        An image that shares no memory with the one given.

    >>> copy_to_fit(np.zeros((100, 400, 3), np.uint8), width=200).shape
    (50, 200, 3)
    >>> copy_to_fit(np.zeros((100, 400), np.uint8), width=800, height=800).shape
    (100, 400)
    """
    scale = min(width / image.shape[1], height / image.shape[0])
    if scale == 1 or (scale > 1 and not enlarge):
        return image.copy()
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how).astype(np.uint8, copy=False)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Encode an image as JPEG.

    Args:
        image: uint8, (H, W, 3) BGR or (H, W) gray; no side longer than 65,500 pixels.
        quality: 1 to 100.
    """
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def encode_ppm(image: Image) -> bytes:
    r"""Encode an image as binary PPM, which every Tk reads.

    Args:
        image: uint8, (H, W, 3) BGR or (H, W) gray.

    >>> encode_ppm(np.full((1, 1, 3), (1, 2, 3), np.uint8))
    b'P6 1 1 255\n\x03\x02\x01'
    """
    order = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    height, width = image.shape[:2]
    return f"P6 {width} {height} 255\n".encode() + cv2.cvtColor(image, order).tobytes()
