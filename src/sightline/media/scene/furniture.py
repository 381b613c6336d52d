"""What stands at the kerb and hides what passes behind it: trees, lamp posts, signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.media.scene.shape import BLACK, Shape, bgr, disc, mix, rounded, shape, stroke
from sightline.media.scene.street import FAR_PAVEMENT, NEAR_PAVEMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from sightline.media.scene.street import Camera

__all__ = ["Furniture", "place_furniture"]

_LEAVES = tuple(map(bgr, (0x5C8A4A, 0x6F9A45, 0x4F7F55, 0xB98A3A, 0x7C9C52)))
_BARK, _STEEL, _DARK_STEEL = bgr(0x5A4636), bgr(0x4A5058), bgr(0x2C3036)
_LAMP, _SIGN, _STOP, _ENAMEL = bgr(0xFFF1C9), bgr(0x2E62A8), bgr(0xB8322F), bgr(0xF5F5F5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Furniture:
    """Something that does not move.

    Attributes:
        shapes: Back to front, in metres.
        x: Metres from the middle of the picture.
        depth: Metres from the camera.
    """

    shapes: tuple[Shape, ...]
    x: float
    depth: float


def place_furniture(rng: np.random.Generator, camera: Camera) -> tuple[Furniture, ...]:
    """Put furniture along both kerbs, nearest last."""
    near, far = NEAR_PAVEMENT[1] - 0.12, FAR_PAVEMENT[0] + 0.12
    return (*_row(rng, camera, far, spacing=6.5), *_row(rng, camera, near, spacing=4.6))


def _row(
    rng: np.random.Generator, camera: Camera, depth: float, *, spacing: float
) -> list[Furniture]:
    kinds: tuple[Callable[[np.random.Generator], list[Shape]], ...]
    kinds = (_tree, _lamp_post, _tree, _sign, _bin)
    first = rng.integers(len(kinds))
    edge = camera.half_view(depth)
    x = -edge + spacing * (0.1 + 0.5 * rng.random())
    placed: list[Furniture] = []
    while x < edge:
        shapes = kinds[(first + len(placed)) % len(kinds)](rng)
        placed.append(Furniture(shapes=tuple(shapes), x=x, depth=depth))
        x += spacing * (0.75 + 0.5 * rng.random())
    return placed


def _tree(rng: np.random.Generator) -> list[Shape]:
    green = _LEAVES[rng.integers(len(_LEAVES))]
    parts = [
        rounded([(-0.13, 0), (0.13, 0), (0.08, 2.4), (-0.08, 2.4)], _BARK, 1),
        shape([(-0.11, 0), (-0.04, 0), (-0.04, 2.4), (-0.07, 2.4)], mix(_BARK, BLACK, 0.3)),
        stroke([(0.0, 1.9), (0.45, 2.7)], _BARK, 0.09),
        stroke([(0.0, 2.1), (-0.4, 2.8)], _BARK, 0.08),
    ]
    for layer, share in (
        (mix(green, BLACK, 0.3), 0.0),
        (green, 0.12),
        (mix(green, _LAMP, 0.2), 0.3),
    ):
        for _ in range(9):
            across, up = 1.9 * rng.random() - 0.95, 1.7 * rng.random()
            radius = (0.62 - share) * (0.75 + 0.4 * rng.random())
            centre = across * (1 - 0.3 * up) - 0.7 * share, 2.75 + up + 0.6 * share
            parts.append(disc(centre, (radius, 0.85 * radius), layer))
    return parts


def _lamp_post(rng: np.random.Generator) -> list[Shape]:
    lean = (-1, 1)[rng.integers(2)]
    return [
        stroke([(0, 0), (0, 4.3), (0.25 * lean, 4.62), (0.8 * lean, 4.7)], _STEEL, 0.09),
        stroke([(0, 0.03), (0, 0.9)], _DARK_STEEL, 0.17),
        stroke([(0.62 * lean, 4.66), (1.0 * lean, 4.69)], _DARK_STEEL, 0.12),
        stroke([(0.68 * lean, 4.6), (0.95 * lean, 4.62)], _LAMP, 0.06),
    ]


def _sign(rng: np.random.Generator) -> list[Shape]:
    colour = (_SIGN, _STOP)[rng.integers(2)]
    return [
        stroke([(0, 0), (0, 2.5)], _STEEL, 0.07),
        disc((0, 2.3), (0.33, 0.33), _ENAMEL),
        disc((0, 2.3), (0.29, 0.29), colour),
        stroke([(-0.13, 2.3), (0.13, 2.3)], _ENAMEL, 0.09),
    ]


def _bin(rng: np.random.Generator) -> list[Shape]:
    green = mix(bgr(0x39604B), BLACK, 0.3 * rng.random())
    return [
        rounded([(-0.26, 0), (0.26, 0), (0.28, 0.95), (-0.28, 0.95)], green, 1),
        stroke([(-0.28, 0.92), (0.28, 0.92)], mix(green, _ENAMEL, 0.25), 0.08),
        stroke([(-0.13, 0.2), (-0.13, 0.75)], mix(green, BLACK, 0.3), 0.04),
        stroke([(0.13, 0.2), (0.13, 0.75)], mix(green, BLACK, 0.3), 0.04),
    ]
