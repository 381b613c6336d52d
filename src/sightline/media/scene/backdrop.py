"""The unmoving picture behind the traffic: sky, houses, pavements and road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from sightline.media.scene.canvas import Canvas
from sightline.media.scene.houses import WALLS, paint_houses
from sightline.media.scene.shape import BLACK, WHITE, Colour, bgr, mix
from sightline.media.scene.street import CYCLE_WAY, FACADES, FAR_PAVEMENT, NEAR_PAVEMENT, ROAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.media.scene.street import Camera

__all__ = ["paint_backdrop"]

_SKIES = tuple(
    (bgr(top), bgr(low))
    for top, low in ((0x7FB2DC, 0xDCEBF2), (0x93B9D3, 0xF4DEC1), (0xA9B8C2, 0xDCE2E4))
)
_ASPHALT, _PAVING, _KERB, _PAINT = bgr(0x6B6C70), bgr(0xB8B0A4), bgr(0xD0CABF), bgr(0xE9E6DC)
_CYCLE = bgr(0x9A5F52)
_SLAB = (0.9, 0.6)  # metres across and away
_JOINT = 0.025


def paint_backdrop(rng: np.random.Generator, camera: Camera) -> NDArray[np.uint8]:
    """Paint the street of a random generator; uint8 (height, width, 3), BGR."""
    canvas = Canvas(camera)
    _paint_sky(canvas, rng)
    paint_houses(canvas, rng)
    _paint_ground(canvas, rng)
    return _weather(canvas.reduced(), rng)


def _paint_sky(canvas: Canvas, rng: np.random.Generator) -> None:
    top, low = _SKIES[rng.integers(len(_SKIES))]
    height, width = canvas.image.shape[:2]
    for row in range(height):
        canvas.image[row] = mix(top, low, min(1.0, row / canvas.horizon))
    clouds = np.zeros((height, width), np.uint8)
    for _ in range(5):
        x, y = int(rng.integers(width)), int(rng.integers(canvas.horizon))
        for _ in range(6):
            dx, dy = (int(v) for v in rng.integers(-height // 12, height // 12, 2))
            size = height // int(rng.integers(18, 40))
            cv2.ellipse(clouds, (x + 2 * dx, y + dy // 3), (2 * size, size), 0, 0, 360, 150, -1)
    soft = cv2.blur(clouds, (height // 24 | 1, height // 40 | 1))[..., None].astype(np.uint16)
    canvas.image[:] = (canvas.image * (255 - soft) + 255 * soft) // 255


def _paint_ground(canvas: Canvas, rng: np.random.Generator) -> None:
    paving = mix(_PAVING, WALLS[rng.integers(len(WALLS))], 0.25)
    asphalt = mix(_ASPHALT, BLACK, 0.25 * rng.random())
    cycle = mix(_CYCLE, asphalt, float(rng.integers(2)) * 0.8)
    canvas.strip((FAR_PAVEMENT[0], FACADES), paving)
    canvas.strip(NEAR_PAVEMENT, paving)
    _paint_slabs(canvas, rng, (FAR_PAVEMENT[0] + 0.1, FACADES), paving)
    _paint_slabs(canvas, rng, NEAR_PAVEMENT, paving)
    canvas.strip((CYCLE_WAY[1], ROAD[1]), asphalt)
    canvas.strip(CYCLE_WAY, cycle)
    for depth, size in ((ROAD[1], 0.22), (NEAR_PAVEMENT[1], 0.2)):
        canvas.strip((depth, depth + size), _KERB)
        canvas.strip((depth - 0.06, depth), mix(asphalt, BLACK, 0.35))
    _paint_lines(canvas, rng)
    canvas.strip((FACADES - 0.25, FACADES), mix(paving, BLACK, 0.3))


def _paint_lines(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.strip((CYCLE_WAY[1] - 0.06, CYCLE_WAY[1] + 0.06), _PAINT)
    edge = canvas.camera.half_view(ROAD[1])
    middle = (ROAD[0] + ROAD[1]) / 2 + 0.05
    for x in np.arange(-edge - 2 * rng.random(), edge, 3.4):
        canvas.ground(x, x + 1.6, (middle - 0.06, middle + 0.06), _PAINT)
    middle = (CYCLE_WAY[0] + CYCLE_WAY[1]) / 2
    for x in np.arange(-edge - rng.random(), edge, 1.5):
        canvas.ground(x, x + 0.6, (middle - 0.04, middle + 0.04), _PAINT)


def _paint_slabs(
    canvas: Canvas, rng: np.random.Generator, depth: tuple[float, float], colour: Colour
) -> None:
    near, far = depth
    edge = canvas.camera.half_view(far)
    joint = mix(colour, BLACK, 0.16)
    columns = np.arange(-edge - 1, edge, _SLAB[0])
    for z in np.arange(near, far, _SLAB[1]):
        for x in columns:
            shade = mix(colour, WHITE if rng.random() < 0.5 else BLACK, 0.09 * rng.random())
            canvas.ground(x, x + _SLAB[0], (z, min(z + _SLAB[1], far)), shade)
        canvas.ground(-edge - 1, edge, (z, z + _JOINT), joint)
    for x in columns:
        canvas.ground(x, x + _JOINT, (near, far), joint)


def _weather(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add stains of some metres and fine grain, but not to the sky."""
    height, width = image.shape[:2]
    coarse = rng.integers(0, 256, (height // 30 + 2, width // 60 + 2)).astype(np.uint8)
    stains = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    grain = rng.integers(0, 13, (height, width, 1)).astype(np.int16)
    change = (stains[..., None].astype(np.int16) - 128) // 16 + grain - 6
    change[: height // 4] = 0
    changed: NDArray[np.uint8] = np.clip(image + change, 0, 255).astype(np.uint8)
    return changed
