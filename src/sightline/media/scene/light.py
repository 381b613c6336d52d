"""Daylight with its tint and its slow changes, and the noise of the camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.frame import Image
    from sightline.media.scene.settings import SceneSettings

__all__ = ["Light"]

_TINTS = ((1.0, 1.0, 1.0), (0.88, 0.98, 1.06), (1.05, 1.0, 0.95), (0.82, 0.84, 0.86))
"""Blue, green, red: noon, evening, morning, overcast."""

_MARGIN = 64  # pixels by which the noise is larger than the picture, to be shifted
_BRIGHTNESS_STEPS = 256  # per factor of 1: products with pixels are exact, on every machine


class Light:
    """The light of one scene."""

    def __init__(self, rng: np.random.Generator, settings: SceneSettings) -> None:
        self._settings = settings
        tint = np.array(_TINTS[rng.integers(len(_TINTS))])
        levels = np.rint(np.arange(256)[:, None] * tint)
        self._table = np.clip(levels, 0, 255).astype(np.uint8)[None]
        self._turn = rng.random()
        self._strength = int(rng.integers(2, 6))
        size = settings.height + _MARGIN, settings.width + _MARGIN, 3
        noise = rng.integers(0, self._strength + 1, (2, *size)).sum(0)
        self._noise: NDArray[np.uint8] = noise.astype(np.uint8)

    def tint(self, image: Image) -> Image:
        """Colour what is drawn once; the image is left as it is."""
        return np.asarray(cv2.LUT(image, self._table), np.uint8)

    def shine(self, image: Image, seq: int) -> None:
        """Set the brightness of a frame and add its noise, in place."""
        settings = self._settings
        time_s = seq / float(settings.frame_rate)
        drift = 0.035 * math.sin(2 * math.pi * (time_s / 11 + self._turn))
        drift += 0.02 * math.sin(2 * math.pi * (time_s / 3.7 + 2 * self._turn))
        brightness = round(_BRIGHTNESS_STEPS * (1 + drift)) / _BRIGHTNESS_STEPS
        top, left = np.random.default_rng([settings.seed, 2, seq]).integers(0, _MARGIN, 2)
        noise = self._noise[top : top + settings.height, left : left + settings.width]
        cv2.addWeighted(image, brightness, noise, 1.0, -self._strength, dst=image)
