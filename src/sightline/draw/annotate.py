"""Boxes, labels and trails on an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.detections import UNTRACKED
from sightline.draw.palette import color_of, text_color_on
from sightline.draw.trails import Trails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detections import Detections
    from sightline.draw.palette import Color
    from sightline.frame import Image

__all__ = ["DrawStyle", "Trails", "copy_as_bgr", "draw_detections", "draw_onto"]

_Point = tuple[int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawStyle:
    """How detections look.

    Attributes:
        line_width: Width of boxes and trails in pixels; None fits it to the image.
        font_scale: Size of labels, where 1 makes capitals of 20 to 30 pixels, depending on the
            version of OpenCV; None fits it to the image.
        labels: Whether a label names class, track and confidence.
        confidence: Whether labels state the confidence.
    """

    line_width: int | None = None
    font_scale: float | None = None
    labels: bool = True
    confidence: bool = True

    def __post_init__(self) -> None:
        if self.line_width is not None and not 1 <= self.line_width <= 100:
            raise ValueError(f"line_width must be from 1 to 100, but is {self.line_width}")
        if self.font_scale is not None and not 0 < self.font_scale <= 20:
            raise ValueError(f"font_scale must be in (0, 20], but is {self.font_scale}")


_PLAIN = DrawStyle()


def draw_detections(
    image: Image,
    detections: Detections,
    *,
    style: DrawStyle = _PLAIN,
    trails: Trails | None = None,
) -> Image:
    """Draw detections onto a copy of an image.

    A track keeps its colour; objects without a track have the colour of their class. The colours
    suit people with colour-blindness. What lies outside the image is cut off.

    Args:
        image: uint8 (H, W, 3) BGR or (H, W) gray; it is not changed.
        detections: Objects of this image.
        style: How they look.
        trails: Paths to draw below the boxes; the caller has updated them with this frame.

    Returns:
        uint8 (H, W, 3) BGR.

    Raises:
        ValueError: A box holds NaN.
    """
    canvas: Image = np.empty((*image.shape[:2], 3), np.uint8)
    copy_as_bgr(image, canvas)
    draw_onto(canvas, detections, style=style, trails=trails)
    return canvas


def copy_as_bgr(image: Image, canvas: Image) -> None:
    """Copy an image into memory that is there already; gray becomes BGR.

    Args:
        image: uint8 (H, W, 3) BGR or (H, W) gray.
        canvas: uint8 (H, W, 3) BGR, C order, writable.
    """
    if image.ndim == 2:
        cv2.cvtColor(image, cv2.COLOR_GRAY2BGR, dst=canvas)
    else:
        np.copyto(canvas, image)


def draw_onto(
    canvas: Image,
    detections: Detections,
    *,
    style: DrawStyle = _PLAIN,
    trails: Trails | None = None,
) -> None:
    """Draw detections onto an image itself; see `draw_detections`.

    Args:
        canvas: uint8 (H, W, 3) BGR, C order, writable.
        detections: Objects of this image.
        style: How they look.
        trails: Paths to draw below the boxes; the caller has updated them with this frame.

    Raises:
        ValueError: A box holds NaN.
    """
    unit = min(canvas.shape[:2]) / 360
    line_width = style.line_width or max(1, round(1.5 * unit))
    if trails is not None:
        trails.draw(canvas, line_width=line_width)
    corners = _corners(detections, canvas, margin=line_width)
    for row, (left_top, right_bottom) in corners.items():
        cv2.rectangle(canvas, left_top, right_bottom, _color(detections, row), line_width)
    if style.labels:
        font_scale = style.font_scale or 0.27 + 0.13 * unit
        for row, (left_top, _) in corners.items():
            text = _label(detections, row, confidence=style.confidence)
            _draw_label(canvas, text, left_top, color=_color(detections, row), scale=font_scale)


def _corners(
    detections: Detections, canvas: NDArray[Any], *, margin: int
) -> dict[int, tuple[_Point, _Point]]:
    """Find the first and last pixel of each box that touches the image, by row.

    Boxes that reach far beyond the image are cut at twice the margin, where nobody sees it.
    """
    height, width = canvas.shape[:2]
    xyxy = detections.xyxy.astype(np.float64)
    if np.isnan(xyxy).any():
        raise ValueError("a box to draw holds NaN")
    low = np.minimum(xyxy[:, :2], xyxy[:, 2:])
    high = np.maximum(xyxy[:, :2], xyxy[:, 2:])
    touches = ((high > 0) & (low < (width, height))).all(axis=1)
    first = np.rint(low.clip(-2 * margin, (width, height))).astype(int)
    last = np.rint(high.clip(0, (width + 2 * margin, height + 2 * margin))).astype(int) - 1
    last = np.maximum(first, last)
    return {
        row: (
            (first[row, 0].item(), first[row, 1].item()),
            (last[row, 0].item(), last[row, 1].item()),
        )
        for row in np.flatnonzero(touches).tolist()
    }


def _color(detections: Detections, row: int) -> Color:
    track_id = int(detections.track_id[row])
    return color_of(track_id if track_id != UNTRACKED else int(detections.class_id[row]))


def _label(detections: Detections, row: int, *, confidence: bool) -> str:
    parts = [detections.class_name(row)]
    if detections.track_id[row] != UNTRACKED:
        parts.append(str(detections.track_id[row]))
    if confidence:
        parts.append(f"{detections.confidence[row]:.2f}")
    return " ".join(parts)


def _draw_label(
    canvas: NDArray[Any], text: str, corner: _Point, *, color: Color, scale: float
) -> None:
    """Write on a plate that stands on the corner, or hangs from it where there is no room."""
    (text_width, text_height), descent = cv2.getTextSize(text, _FONT, scale, 1)
    pad = max(2, round(6 * scale))
    plate_width, plate_height = text_width + 2 * pad, text_height + descent + 2 * pad
    left = max(0, min(corner[0], canvas.shape[1] - plate_width))
    top = corner[1] - plate_height if corner[1] >= plate_height else max(0, corner[1])
    right_bottom = (left + plate_width - 1, top + plate_height - 1)
    cv2.rectangle(canvas, (left, top), right_bottom, color, cv2.FILLED)
    baseline = (left + pad, top + pad + text_height)
    cv2.putText(canvas, text, baseline, _FONT, scale, text_color_on(color), 1, cv2.LINE_AA)
