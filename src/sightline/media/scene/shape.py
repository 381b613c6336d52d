"""Flat coloured shapes in metres, from which figures are put together. It draws nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "BLACK",
    "WHITE",
    "Colour",
    "Point",
    "Shape",
    "bgr",
    "disc",
    "mix",
    "rounded",
    "shape",
    "stroke",
]

Colour = tuple[int, int, int]
"""Blue, green, red, each in [0, 255]."""

Point = tuple[float, float]
"""Metres to the front and metres above the ground, from the point where a figure stands."""


BLACK, WHITE = (20, 16, 16), (255, 255, 255)
"""The darkest and the lightest colour in the picture, to mix others with."""


class Shape(NamedTuple):
    """A filled outline or a thick line of one colour.

    Attributes:
        points: float64 (N, 2), metres, x to the front, y upwards.
        colour: BGR.
        width: Thickness of the line in metres; 0 for a filled outline.
    """

    points: NDArray[np.float64]
    colour: Colour
    width: float = 0.0


def bgr(rgb: int) -> Colour:
    """Convert a colour from the notation of web pages.

    >>> bgr(0xFF8000)
    (0, 128, 255)
    """
    return rgb & 255, rgb >> 8 & 255, rgb >> 16 & 255


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Blend `share` in [0, 1] of another colour into a colour.

    >>> mix((0, 100, 200), (100, 100, 100), 0.25)
    (25, 100, 175)
    """
    blue, green, red = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return blue, green, red


def shape(points: Sequence[Point], colour: Colour) -> Shape:
    """Make a filled outline with sharp corners."""
    return Shape(np.array(points, np.float64), colour)


def stroke(points: Sequence[Point], colour: Colour, width: float) -> Shape:
    """Make a line with round ends, `width` metres thick."""
    return Shape(np.array(points, np.float64), colour, width)


def disc(centre: Point, radii: Point, colour: Colour) -> Shape:
    """Make a filled ellipse with the given horizontal and vertical radius."""
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return Shape(circle * radii + centre, colour)


def rounded(points: Sequence[Point], colour: Colour, cuts: int = 2) -> Shape:
    """Make a filled outline whose corners are cut off `cuts` times.

    Chaikin, "An algorithm for high-speed curve generation", Computer Graphics and Image
    Processing 3, 1974: every edge is replaced by its middle half.
    """
    outline = np.array(points, np.float64)
    for _ in range(cuts):
        following = np.roll(outline, -1, axis=0)
        cut = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], 1)
        outline = cut.reshape(-1, 2)
    return Shape(outline, colour)
