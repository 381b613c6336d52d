"""A walking person as shapes. It knows neither pixels nor where the person goes."""

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
    stroke,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HAIR", "SKIN", "TOPS", "Person"]

SKIN = tuple(map(bgr, (0xF1C7A5, 0xE0AC84, 0xC68658, 0x9A6440, 0x6B432B)))
HAIR = tuple(map(bgr, (0x2B2019, 0x4A2F1E, 0x7A4A25, 0xB98A4E, 0x8C8C8C, 0x1D1D22)))
TOPS = tuple(
    map(
        bgr,
        (0xC8413B, 0xE0A030, 0x2F6DA8, 0x3C8D6E, 0xECE6DA, 0x7B4B8A, 0x30394D, 0xD9728B, 0x5FA8C4),
    )
)
_TROUSERS = tuple(map(bgr, (0x28344E, 0x3B3B42, 0x6B5B4A, 0x4A6384, 0x23262B, 0x8A8270)))
_SHOES = tuple(map(bgr, (0x1E1E22, 0xE8E4DC, 0x5A3A26, 0xA33A32)))
_BAGS = tuple(map(bgr, (0x8A3B2E, 0x2E5A4E, 0x3A3A48, 0xC99A3B)))


def _limb(start: Point, lengths: tuple[float, float], angles: tuple[float, float]) -> list[Point]:
    """Place the two bones of an arm or a leg.

    Args:
        start: Hip or shoulder.
        lengths: Of the upper and the lower bone in metres.
        angles: Of both bones in radians; 0 hangs down, positive swings to the front.

    Returns:
        Start, joint and end.
    """
    points = [start]
    for length, angle in zip(lengths, angles, strict=True):
        x, y = points[-1]
        points.append((x + length * math.sin(angle), y - length * math.cos(angle)))
    return points


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one person looks like.

    Attributes:
        phases: Pictures per cycle of movement.
        height: Metres.
        skin: Colour of face and hands.
        hair: Colour of the hair.
        top: Colour of jacket, coat or shirt.
        legs: Colour of the trousers.
        shoes: Colour of the shoes.
        bag: Colour of a backpack; None without one.
        coat: The jacket reaches to the knees.
        long_hair: The hair reaches to the shoulders.
    """

    phases: ClassVar[int] = 16
    height: float
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    bag: Colour | None
    coat: bool
    long_hair: bool

    @property
    def length(self) -> float:
        """Extent in walking direction in metres, at the widest step."""
        return 0.5 * self.height

    @property
    def cycle(self) -> float:
        """Metres after which the movement repeats: two steps."""
        return 0.82 * self.height

    @classmethod
    def random(cls, rng: np.random.Generator) -> Person:
        """Choose a look at random."""
        return cls(
            height=1.55 + 0.35 * rng.random(),
            skin=SKIN[rng.integers(len(SKIN))],
            hair=HAIR[rng.integers(len(HAIR))],
            top=TOPS[rng.integers(len(TOPS))],
            legs=_TROUSERS[rng.integers(len(_TROUSERS))],
            shoes=_SHOES[rng.integers(len(_SHOES))],
            bag=_BAGS[rng.integers(len(_BAGS))] if rng.random() < 0.35 else None,
            coat=bool(rng.random() < 0.3),
            long_hair=bool(rng.random() < 0.45),
        )

    def shapes(self, phase: float) -> list[Shape]:
        """Give the shapes of one moment, back to front; `phase` in [0, 1) of the cycle."""
        swing = math.sin(2 * math.pi * phase)
        legs = [_leg(2 * math.pi * phase), _leg(2 * math.pi * (phase + 0.5))]
        hip = 0.025 - min(y for leg in legs for _, y in leg)
        far, near = ([(x, y + hip) for x, y in leg] for leg in legs)
        shoulder = hip + 0.325
        dark = mix(self.top, BLACK, 0.35)
        unscaled = [
            *self._arm(shoulder, -swing, dark, mix(self.skin, BLACK, 0.2)),
            stroke(far, mix(self.legs, BLACK, 0.35), 0.075),
            self._shoe(far),
            stroke(near, self.legs, 0.08),
            self._shoe(near),
            *self._body(hip, swing),
            *self._head(hip + 0.44),
            *self._arm(shoulder, swing, mix(self.top, WHITE, 0.1), self.skin),
        ]
        return [
            Shape(points * self.height, colour, width * self.height)
            for points, colour, width in unscaled
        ]

    def _shoe(self, leg: list[Point]) -> Shape:
        x, y = leg[-1]
        return stroke([(x - 0.02, y - 0.005), (x + 0.055, y - 0.012)], self.shoes, 0.045)

    def _arm(self, shoulder: float, swing: float, sleeve: Colour, hand: Colour) -> list[Shape]:
        upper = 0.55 * swing
        bones = _limb((0.0, shoulder - 0.02), (0.155, 0.14), (upper, upper + 0.3))
        return [stroke(bones, sleeve, 0.055), disc(bones[-1], (0.026, 0.026), hand)]

    def _body(self, hip: float, swing: float) -> list[Shape]:
        hem = hip - 0.17 if self.coat else hip - 0.035
        flare = 0.095 + 0.015 * abs(swing) if self.coat else 0.07
        top = hip + 0.36
        front = [(0.02, top), (0.075, top - 0.05), (0.075, hip), (flare, hem)]
        back = [(-flare, hem), (-0.07, hip), (-0.085, top - 0.06), (-0.03, top)]
        shade = [(-0.01, top), (-0.02, hem), *back]
        body = [rounded(front + back, self.top), rounded(shade, mix(self.top, BLACK, 0.18))]
        if self.bag is not None:
            low, high = hip + 0.08, top - 0.03
            pack = [(-0.06, low), (-0.16, low), (-0.17, high - 0.05), (-0.13, high), (-0.06, high)]
            body.append(rounded(pack, self.bag))
            body.append(stroke([(0.03, high - 0.12), (-0.04, high)], self.bag, 0.022))
        return body

    def _head(self, centre: float) -> list[Shape]:
        neck = stroke([(0.005, centre - 0.09), (0.01, centre - 0.04)], self.skin, 0.05)
        face = disc((0.012, centre), (0.055, 0.066), self.skin)
        hair = disc((-0.012, centre + 0.022), (0.058, 0.056), self.hair)
        fringe = stroke([(0.0, centre + 0.055), (0.04, centre + 0.045)], self.hair, 0.03)
        nose = disc((0.066, centre - 0.008), (0.012, 0.014), self.skin)
        parts = [neck, hair, face, nose, fringe]
        back = [(-0.03, centre + 0.05), (-0.04, centre - (0.1 if self.long_hair else 0.01))]
        return [*parts, stroke(back, self.hair, 0.055)]


def _leg(angle: float) -> list[Point]:
    """Hip at the origin; the leg that swings to the front bends its knee."""
    thigh = 0.48 * math.sin(angle) + 0.04
    return _limb((0.0, 0.0), (0.24, 0.24), (thigh, thigh - 0.08 - 0.7 * max(0.0, math.cos(angle))))
