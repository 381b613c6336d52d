"""A picture that is painted in metres, as the camera sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from sightline.media.scene.street import FACADES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sightline.media.scene.shape import Colour
    from sightline.media.scene.street import Camera

__all__ = ["Canvas"]

_FINE = 2  # painted at this multiple of the size, then reduced
_FRACTION_BITS = 4  # of the coordinates that OpenCV draws at


class Canvas:
    """The picture being painted.

    Attributes:
        camera: Where metres are in the picture.
        image: uint8 (2 · height, 2 · width, 3), BGR.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.image = np.zeros((camera.height * _FINE, camera.width * _FINE, 3), np.uint8)

    @property
    def horizon(self) -> int:
        """Row of the horizon in `image`."""
        return round(self.camera.horizon * _FINE)

    def reduced(self) -> NDArray[np.uint8]:
        """Give the picture in the size of the camera's."""
        size = self.camera.width, self.camera.height
        return np.asarray(cv2.resize(self.image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def ground(self, left: float, right: float, depth: tuple[float, float], colour: Colour) -> None:
        """Paint a rectangle that lies on the ground."""
        near, far = depth
        corners = [(left, near), (right, near), (right, far), (left, far)]
        self._fill((self.camera.project(x, z) for x, z in corners), colour)

    def strip(self, depth: tuple[float, float], colour: Colour) -> None:
        """Paint a strip of the ground along the whole street."""
        edge = self.camera.half_view(depth[1]) + 1
        self.ground(-edge, edge, depth, colour)

    def wall(self, points: Iterable[tuple[float, float]], colour: Colour) -> None:
        """Paint an outline on the house fronts, in metres across and above the ground."""
        self._fill((self.camera.project(x, FACADES, y) for x, y in points), colour)

    def panel(self, left: float, bottom: float, size: tuple[float, float], colour: Colour) -> None:
        """Paint an upright rectangle on the house fronts."""
        right, top = left + size[0], bottom + size[1]
        self.wall([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

    def _fill(self, points: Iterable[tuple[float, float]], colour: Colour) -> None:
        corners = np.rint(np.array(list(points)) * (_FINE << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(self.image, [corners], colour, cv2.LINE_AA, _FRACTION_BITS)
