"""The recent paths of tracks, and how they are drawn: lines on the ground that fade with age."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sightline.detections import UNTRACKED
from sightline.draw.palette import color_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detections import Detections

__all__ = ["Trails"]

_OPACITY = 0.85
_SHADES = 8
_FAR = 1e6
_SHIFT = 4
"""Bits of a pixel's fraction in the coordinates given to OpenCV."""


class Trails:
    """Where the tracks of one stream have been of late: the middle of each box's lower edge.

    A point is forgotten after `length` updates and a track with its last point, so memory is
    bounded by the tracks of the last `length` frames.

    Args:
        length: How many updates a point lasts; at least 2.
    """

    def __init__(self, length: int = 30) -> None:
        if length < 2:
            raise ValueError(f"length must be 2 or more frames, but is {length}")
        self.length = length
        self._now = 0
        self._points: dict[int, deque[tuple[int, float, float]]] = {}

    def __len__(self) -> int:
        """Count the tracks that are remembered."""
        return len(self._points)

    def update(self, detections: Detections) -> None:
        """Advance by one frame.

        Args:
            detections: The objects of the frame; those without a track leave no trail.
        """
        self._now += 1
        tracked = detections[detections.track_id != UNTRACKED]
        boxes = np.clip(tracked.xyxy.astype(np.float64), -_FAR, _FAR)
        for track_id, (left, _, right, bottom) in zip(
            tracked.track_id.tolist(), boxes.tolist(), strict=True
        ):
            points = self._points.setdefault(track_id, deque())
            points.append((self._now, (left + right) / 2, bottom))
        self._forget()

    def _forget(self) -> None:
        oldest = self._now - self.length
        for track_id, points in list(self._points.items()):
            while points and points[0][0] <= oldest:
                points.popleft()
            if not points:
                del self._points[track_id]

    def draw(self, canvas: NDArray[np.uint8], *, line_width: int) -> None:
        """Draw all trails onto an image, in place.

        Args:
            canvas: uint8 (H, W, 3) BGR, writable.
            line_width: Width of the lines in pixels.
        """
        for track_id, points in self._points.items():
            if len(points) > 1:
                path = np.array(points)
                opacity = _OPACITY * (1 - (self._now - path[:, 0]) / self.length)
                _blend_path(canvas, path[:, 1:], opacity, color_of(track_id), line_width)


def _blend_path(
    canvas: NDArray[np.uint8],
    path: NDArray[np.float64],
    opacity: NDArray[np.float64],
    color: tuple[int, int, int],
    line_width: int,
) -> None:
    """Draw a path in one colour and an opacity that grows along it, on the part it touches."""
    height, width = canvas.shape[:2]
    left, top = np.clip(path.min(axis=0) - line_width, 0, (width, height)).astype(int)
    right, bottom = np.clip(path.max(axis=0) + line_width + 2, 0, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    corners = np.rint((path - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    step = -(-len(path) // _SHADES)
    for start in range(0, len(path) - 1, step):
        piece = corners[start : start + step + 1]
        shade = 255 * float(opacity[start : start + step + 1].mean())
        cv2.polylines(
            mask,
            [piece],
            isClosed=False,
            color=shade,
            thickness=line_width,
            lineType=cv2.LINE_AA,
            shift=_SHIFT,
        )
    weight = mask * np.float32(1 / 255)
    region = canvas[top:bottom, left:right]
    paint = np.full_like(region, color)
    region[...] = cv2.blendLinear(paint, region, weight, 1 - weight)
