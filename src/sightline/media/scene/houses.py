"""The row of houses on the other side of the street."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sightline.media.scene.shape import BLACK, WHITE, Colour, bgr, mix
from sightline.media.scene.street import FACADES

if TYPE_CHECKING:
    import numpy as np

    from sightline.media.scene.canvas import Canvas

__all__ = ["WALLS", "paint_houses"]

WALLS = tuple(
    map(
        bgr,
        (0xD9B48F, 0xC98F6B, 0xE6D7B8, 0xA9B7B0, 0xB4695A, 0xD8C3A5, 0x8F9FAE, 0xE3C6B4, 0xC7B98A),
    )
)
_ROOFS = tuple(map(bgr, (0x8C4A3A, 0x5A5F68, 0x744236, 0x6E6A63)))
_AWNINGS = tuple(map(bgr, (0xB5453C, 0x3E7A66, 0x2F5D8A, 0xD59A3A)))
_DOORS = tuple(map(bgr, (0x3B4F45, 0x5C3B2E, 0x2F4560, 0x6E2F33)))
_GLASS, _LIT, _FRAME = bgr(0x6F8796), bgr(0xF2D592), bgr(0xF3EFE6)
_HEDGE = bgr(0x5F7F4E)

_GROUND_FLOOR, _STOREY = 3.0, 2.55  # heights in metres


def paint_houses(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint houses with gaps through which a hedge is seen."""
    edge = canvas.camera.half_view(FACADES)
    _paint_hedge(canvas, rng, edge)
    x = -edge - 3 * rng.random()
    while x < edge:
        width = 4.2 + 3.4 * rng.random()
        if rng.random() < 0.85:
            _paint_house(canvas, rng, x, width)
            x += width
        else:
            x += 1.5


def _paint_hedge(canvas: Canvas, rng: np.random.Generator, edge: float) -> None:
    x = -edge - 1
    while x < edge + 1:
        x += 0.25 + 0.25 * rng.random()
        radius, top = 0.7 + 0.5 * rng.random(), 1.5 + 1.8 * rng.random()
        angles = [k * math.pi / 8 for k in range(16)]
        round_top = [(x + radius * math.cos(a), top + radius * math.sin(a)) for a in angles]
        colour = mix(_HEDGE, BLACK, 0.35 * rng.random())
        canvas.wall(round_top, colour)
        canvas.panel(x - radius, 0, (2 * radius, top), colour)


def _paint_house(canvas: Canvas, rng: np.random.Generator, left: float, width: float) -> None:
    colour = mix(WALLS[rng.integers(len(WALLS))], WHITE, 0.25 * rng.random())
    storeys = int(rng.integers(1, 3))
    eaves = _GROUND_FLOOR + _STOREY * storeys
    _paint_roof(canvas, rng, (left, eaves, width))
    _paint_front(canvas, (left, eaves, width), colour)
    for storey in range(storeys):
        _paint_windows(canvas, rng, (left, 3.55 + _STOREY * storey, width), colour)
    if rng.random() < 0.6:
        _paint_shop(canvas, rng, left, width)
    else:
        _paint_entrance(canvas, rng, (left, 0.95, width), colour)


def _paint_roof(canvas: Canvas, rng: np.random.Generator, area: tuple[float, float, float]) -> None:
    left, eaves, width = area
    right = left + width
    colour = _ROOFS[rng.integers(len(_ROOFS))]
    inset = (0.1, 0.9, width / 2)[rng.integers(3)]
    ridge = eaves + (0.5, 1.2, 1.6)[rng.integers(3)]
    slope = [(left - 0.1, eaves), (left + inset, ridge), (right - inset, ridge)]
    canvas.wall([*slope, (right + 0.1, eaves)], colour)


def _paint_front(canvas: Canvas, area: tuple[float, float, float], colour: Colour) -> None:
    left, eaves, width = area
    canvas.panel(left, 0, (width, eaves), colour)
    canvas.panel(left, 0, (0.14, eaves), mix(colour, BLACK, 0.3))
    canvas.panel(left + width - 0.1, 0, (0.1, eaves), mix(colour, WHITE, 0.3))
    canvas.panel(left - 0.12, eaves - 0.16, (width + 0.24, 0.2), mix(colour, WHITE, 0.45))
    canvas.panel(left, eaves - 0.36, (width, 0.2), mix(colour, BLACK, 0.18))
    canvas.panel(left, 2.95, (width, 0.12), mix(colour, WHITE, 0.35))


def _paint_windows(
    canvas: Canvas, rng: np.random.Generator, area: tuple[float, float, float], wall: Colour
) -> None:
    left, bottom, width = area
    count = max(2, int(width / 1.6))
    for k in range(count):
        x = left + (k + 0.5) * width / count - 0.45
        canvas.panel(x - 0.09, bottom - 0.09, (1.08, 1.58), _FRAME)
        glass = _LIT if rng.random() < 0.12 else mix(_GLASS, BLACK, 0.4 * rng.random())
        canvas.panel(x, bottom, (0.9, 1.4), glass)
        glint = [(x, bottom + 0.5), (x + 0.5, bottom + 1.4), (x, bottom + 1.4)]
        canvas.wall(glint, mix(glass, WHITE, 0.25))
        canvas.panel(x + 0.42, bottom, (0.06, 1.4), _FRAME)
        canvas.panel(x, bottom + 0.9, (0.9, 0.06), _FRAME)
        canvas.panel(x - 0.14, bottom - 0.2, (1.18, 0.12), mix(wall, WHITE, 0.55))
        canvas.panel(x - 0.14, bottom - 0.26, (1.18, 0.06), mix(wall, BLACK, 0.3))


def _paint_shop(canvas: Canvas, rng: np.random.Generator, left: float, width: float) -> None:
    accent = _AWNINGS[rng.integers(len(_AWNINGS))]
    dark = mix(accent, BLACK, 0.45)
    inside = mix(_LIT, _GLASS, 0.35 + 0.5 * rng.random())
    door = left + width - 1.4
    glint = [(left + 0.7, 0.45), (left + 1.3, 0.45), (left + 2.2, 2.15), (left + 1.6, 2.15)]
    canvas.panel(left + 0.3, 0, (width - 0.6, 2.75), dark)
    canvas.panel(left + 0.5, 0.45, (width - 2.1, 1.7), inside)
    canvas.wall(glint, mix(inside, WHITE, 0.3))
    canvas.panel(door, 0, (0.95, 2.15), mix(inside, BLACK, 0.2))
    canvas.panel(door, 0, (0.95, 0.5), dark)
    canvas.panel(left + 0.3, 2.4, (width - 0.6, 0.45), accent)
    _paint_awning(canvas, (left + 0.2, width - 0.4), accent)


def _paint_awning(canvas: Canvas, span: tuple[float, float], accent: Colour) -> None:
    left, width = span
    stripes = max(4, int((width + 0.4) / 0.45))
    step = width / stripes
    for k in range(stripes):
        canvas.panel(left + k * step, 1.95, (step, 0.55), accent if k % 2 else _FRAME)
    canvas.panel(left, 1.86, (width, 0.09), mix(accent, BLACK, 0.35))


def _paint_entrance(
    canvas: Canvas, rng: np.random.Generator, area: tuple[float, float, float], wall: Colour
) -> None:
    left, sill, width = area
    canvas.panel(left, 0, (width, 0.5), mix(wall, BLACK, 0.25))
    _paint_windows(canvas, rng, (left, sill, width - 1.6), wall)
    x = left + width - 1.45
    door = _DOORS[rng.integers(len(_DOORS))]
    canvas.panel(x - 0.1, 0, (1.2, 2.45), _FRAME)
    canvas.panel(x, 0, (1.0, 2.3), door)
    canvas.panel(x + 0.18, 1.3, (0.64, 0.75), mix(door, WHITE, 0.25))
    canvas.panel(x + 0.18, 0.3, (0.64, 0.75), mix(door, WHITE, 0.1))
