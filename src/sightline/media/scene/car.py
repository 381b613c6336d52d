"""A car as shapes. It knows neither pixels nor where the car goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sightline.media.scene.shape import (
    BLACK,
    WHITE,
    Colour,
    Point,
    Shape,
    bgr,
    disc,
    mix,
    rounded,
    shape,
    stroke,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Car"]

_PAINTS = tuple(
    map(
        bgr,
        (0xB8322F, 0x2C5F94, 0xE9E7E2, 0x3A3F47, 0x8FA3AD, 0x3F7A5C, 0xE0A63A, 0x5B2C45, 0x77B1C9),
    )
)
_GLASS, _GLINT, _TYRE = bgr(0x2A3A48), bgr(0x5F7C8E), bgr(0x18181B)
_ARCH, _RIM, _TRIM = bgr(0x101013), bgr(0xB9BDC4), bgr(0x2B2D31)
_HEADLIGHT, _TAILLIGHT, _DRIVER = bgr(0xFFF3C4), bgr(0xC2242B), bgr(0x16202A)

_WHEEL = 0.33
_SIDE = 0.62  # height of the lower edge of the windows, as a share of the height of the car


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """Where the roof lies along the car, in shares of its half length; rear −1, front 1."""

    length: float
    height: float
    roof: tuple[float, float]
    pillars: tuple[float, float]
    post: float


_BODIES = (
    _Body(length=3.9, height=1.5, roof=(-0.72, 0.1), pillars=(-0.97, 0.5), post=-0.18),
    _Body(length=4.5, height=1.42, roof=(-0.38, 0.12), pillars=(-0.72, 0.48), post=-0.14),
    _Body(length=4.4, height=1.68, roof=(-0.78, 0.14), pillars=(-0.95, 0.45), post=-0.22),
    _Body(length=4.8, height=1.95, roof=(-0.94, 0.34), pillars=(-0.98, 0.68), post=0.02),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """What one car looks like.

    Attributes:
        phases: Pictures per cycle of movement.
        body: Hatchback, saloon, off-roader or van.
        paint: Colour of the body.
        two_tone: The roof is white.
    """

    phases: ClassVar[int] = 4
    body: _Body
    paint: Colour
    two_tone: bool

    @property
    def length(self) -> float:
        """Extent in driving direction in metres."""
        return self.body.length

    @property
    def cycle(self) -> float:
        """Metres after which the movement repeats: a fifth of a turn of the five-spoke wheels."""
        return 2 * math.pi * _WHEEL / 5

    @classmethod
    def random(cls, rng: np.random.Generator) -> Car:
        """Choose a look at random."""
        return cls(
            body=_BODIES[rng.integers(len(_BODIES))],
            paint=_PAINTS[rng.integers(len(_PAINTS))],
            two_tone=bool(rng.random() < 0.15),
        )

    def shapes(self, phase: float) -> list[Shape]:
        """Give the shapes of one moment, back to front; `phase` in [0, 1) of the cycle."""
        half = self.body.length / 2
        turn = -2 * math.pi * phase / 5
        axles = -half + 0.78, half - 0.82
        return [
            shape([(-half + 0.2, 0.2), (half - 0.2, 0.2), (half - 0.2, 0.5), (-half, 0.5)], _ARCH),
            *self._cabin(half),
            *self._side(half),
            *(part for x in axles for part in _wheel((x, _WHEEL), turn)),
        ]

    def _cabin(self, half: float) -> list[Shape]:
        body, side, top = self.body, _SIDE * self.body.height, self.body.height - 0.1
        rear, front = (half * share for share in body.pillars)
        roof_rear, roof_front = (half * share for share in body.roof)
        post = half * body.post
        seat = post + 0.42
        outline = [(rear, side - 0.1), (roof_rear, top + 0.1), (roof_front, top + 0.1)]
        glass = [(rear + 0.16, side), (roof_rear + 0.08, top), (roof_front - 0.06, top)]
        glint = [(seat - 0.5, side), (seat + 0.15, top), (seat + 0.32, top), (seat - 0.2, side)]
        roof = WHITE if self.two_tone else mix(self.paint, BLACK, 0.08)
        return [
            rounded([*outline, (front, side - 0.1)], roof),
            rounded([*glass, (front - 0.16, side)], _GLASS, 1),
            shape(glint, _GLINT),
            disc((seat + 0.02, side + 0.17), (0.1, 0.13), _DRIVER),
            stroke([(post, side), (post, top)], mix(self.paint, BLACK, 0.3), 0.07),
        ]

    def _side(self, half: float) -> list[Shape]:
        side, door = _SIDE * self.body.height, half * self.body.post
        line, shine = mix(self.paint, BLACK, 0.3), mix(self.paint, WHITE, 0.35)
        rear = [
            (-half + 0.2, 0.2),
            (-half, 0.28),
            (-half, side - 0.08),
            (-half + 0.12, side + 0.03),
        ]
        front = [(half * 0.45, side + 0.03), (half - 0.25, side - 0.1), (half, side - 0.28)]
        sill = [(-half + 0.02, 0.42), (half - 0.02, 0.4), (half - 0.05, 0.24), (-half + 0.1, 0.22)]
        return [
            rounded([*rear, *front, (half, 0.26), (half - 0.2, 0.2)], self.paint),
            rounded(sill, mix(self.paint, BLACK, 0.28), 1),
            stroke([(-half + 0.2, side - 0.03), (half * 0.5, side - 0.04)], shine, 0.03),
            stroke([(door, 0.3), (door, side)], line, 0.02),
            stroke([(half * 0.42, 0.3), (half * 0.4, side - 0.02)], line, 0.02),
            stroke([(door + 0.1, side - 0.13), (door + 0.25, side - 0.13)], line, 0.035),
            *_lights(half, side),
            stroke([(-half + 0.05, 0.29), (half - 0.05, 0.28)], _TRIM, 0.06),
            disc((half * 0.4, side + 0.06), (0.09, 0.06), line),
        ]


def _lights(half: float, side: float) -> list[Shape]:
    front = [(-0.3, -0.15), (-0.04, -0.24), (-0.06, -0.34), (-0.3, -0.28)]
    rear = [(0.02, -0.08), (0.16, -0.06), (0.14, -0.3), (0.02, -0.3)]
    return [
        rounded([(half + x, side + y) for x, y in front], _HEADLIGHT, 1),
        rounded([(-half + x, side + y) for x, y in rear], _TAILLIGHT, 1),
    ]


def _wheel(centre: Point, turn: float) -> list[Shape]:
    x, y = centre
    spokes = []
    for k in range(5):
        angle = turn + k * 2 * math.pi / 5
        tip = x + 0.19 * math.cos(angle), y + 0.19 * math.sin(angle)
        spokes.append(stroke([centre, tip], _RIM, 0.055))
    return [
        disc((x, y + 0.02), (_WHEEL + 0.06, _WHEEL + 0.05), _ARCH),
        disc(centre, (_WHEEL, _WHEEL), _TYRE),
        disc(centre, (0.22, 0.22), mix(_RIM, BLACK, 0.55)),
        *spokes,
        disc(centre, (0.06, 0.06), _RIM),
    ]
