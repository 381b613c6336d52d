"""Shapes drawn as small pictures with soft edges, and pasted into a larger one.

Shapes are drawn without smoothing on a grid that is four times as fine as the pixels and reduced
by area, in integers throughout: edges are smooth, columns are exact to a quarter of a pixel, and
the result does not depend on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.media.scene.shape import Shape

__all__ = ["GRID", "Sprite", "draw_shadow", "draw_sprite", "overlap", "paste"]

GRID = 4
"""Positions per pixel."""

_FRACTION_BITS = 4  # of the coordinates that OpenCV draws at, below the fine grid
_SHADOW_LEAN = (0.62, 0.2)  # where a metre of height falls: metres aside and away
_SHADOW_DARKNESS = 95  # of 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sprite:
    """A picture with transparency, placed relative to the pixel where its figure stands.

    Attributes:
        left: Column of the picture's left edge, relative to that pixel.
        top: Row of the picture's top edge, relative to that pixel.
        paint: uint8 (H, W, 3), BGR, already multiplied with the opacity; None for a shadow.
        through: uint8 (H, W, 3), how much of the background shows: 255 − opacity.
        extent: Tight box of the figure as left, top, right, bottom in pixels, relative to that
            pixel; a multiple of a quarter.
    """

    left: int
    top: int
    paint: NDArray[np.uint8] | None
    through: NDArray[np.uint8]
    extent: tuple[float, float, float, float]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels of which the figure covers more than half; bool (H, W)."""
        return self.through[..., 0] < 128

    def box(self, column: int, row: int) -> tuple[float, float, float, float]:
        """Give the tight box in a picture where the figure stands at that pixel."""
        left, top, right, bottom = self.extent
        return column + left, row + top, column + right, row + bottom


def draw_sprite(
    shapes: Sequence[Shape], *, scale: float, mirrored: bool, offset: int = 0
) -> Sprite:
    """Draw a figure.

    Args:
        shapes: Back to front.
        scale: Pixels per metre.
        mirrored: The figure looks to the left.
        offset: How far it stands right of the left edge of its pixel, in [0, `GRID`).
    """
    flip = np.array([-scale if mirrored else scale, -scale])
    left, top, fine = _draw(shapes, np.diag(flip), scale, offset=offset)
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(fine[..., 3]))
    reduced = _reduce(fine)
    return Sprite(
        left=left,
        top=top,
        paint=np.ascontiguousarray(reduced[..., :3]),
        through=_in_all_channels(255 - reduced[..., 3]),
        extent=(
            left + x / GRID,
            top + y / GRID,
            left + (x + width) / GRID,
            top + (y + height) / GRID,
        ),
    )


def draw_shadow(shapes: Sequence[Shape], *, scale: float, mirrored: bool) -> Sprite:
    """Draw the shadow that a figure throws on the ground; arguments as for `draw_sprite`."""
    lean = np.array([[-1.0 if mirrored else 1.0, 0.0], _SHADOW_LEAN]) * (scale, -scale)
    left, top, fine = _draw(shapes, lean, scale * 0.6)
    soft = cv2.blur(_reduce(fine[..., 3]), (3, 3))
    dark = 255 - (soft.astype(np.uint16) * _SHADOW_DARKNESS // 255).astype(np.uint8)
    through = _in_all_channels(dark)
    return Sprite(left=left, top=top, paint=None, through=through, extent=(0, 0, 0, 0))


def paste(image: NDArray[np.uint8], sprite: Sprite, column: int, row: int) -> None:
    """Paint a sprite into an image, in place, where its figure stands; parts may lie outside."""
    place, part = overlap(image.shape, sprite, column, row)
    ground = image[place]
    if ground.size == 0:
        return
    cv2.multiply(ground, sprite.through[part], ground, scale=1 / 255)
    if sprite.paint is not None:
        cv2.add(ground, sprite.paint[part], ground)


def overlap(
    shape: tuple[int, ...], sprite: Sprite, column: int, row: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Find what an image and a sprite have in common, as rows and columns of each."""
    left, top = column + sprite.left, row + sprite.top
    height, width = sprite.through.shape[:2]
    rows = max(0, -top), max(0, min(height, shape[0] - top))
    columns = max(0, -left), max(0, min(width, shape[1] - left))
    return (
        (
            slice(top + rows[0], max(0, top + rows[1])),
            slice(left + columns[0], max(0, left + columns[1])),
        ),
        (slice(*rows), slice(*columns)),
    )


def _draw(
    shapes: Sequence[Shape], transform: NDArray[np.float64], line_scale: float, *, offset: int = 0
) -> tuple[int, int, NDArray[np.uint8]]:
    """Draw shapes on the fine grid, opaque; give left and top in pixels, and BGRA."""
    lengths = [len(points) for points, _, _ in shapes]
    widths = [width * line_scale for _, _, width in shapes]
    corners = np.concatenate([points for points, _, _ in shapes]) @ transform
    reach = np.repeat(widths, lengths)[:, None]
    left, top = (int(v) for v in np.floor((corners - reach).min(0)) - 1)
    right, bottom = (int(v) for v in np.ceil((corners + reach).max(0)) + 2)
    canvas = np.zeros(((bottom - top) * GRID, (right - left) * GRID, 4), np.uint8)
    origin = np.array([left * GRID - offset, top * GRID])
    fine = np.rint((corners * GRID - origin) * (1 << _FRACTION_BITS)).astype(np.int32)
    start = 0
    for (_, colour, _), length, width in zip(shapes, lengths, widths, strict=True):
        part, ink = fine[start : start + length], (*colour, 255)
        start += length
        if width:
            thick = max(1, round(width * GRID))
            cv2.polylines(canvas, [part], False, ink, thick, shift=_FRACTION_BITS)  # noqa: FBT003
        else:
            cv2.fillPoly(canvas, [part], ink, shift=_FRACTION_BITS)
    return left, top, canvas


def _reduce(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = fine.shape[1] // GRID, fine.shape[0] // GRID
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.uint8)


def _in_all_channels(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
