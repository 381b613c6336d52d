"""A bicycle with its rider as shapes. It knows neither pixels nor where the bicycle goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sightline.media.scene.person import HAIR, SKIN, TOPS
from sightline.media.scene.shape import BLACK, Colour, Point, Shape, bgr, disc, mix, rounded, stroke

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bicycle"]

_FRAMES = tuple(map(bgr, (0xB3312C, 0x1F6F8B, 0x2A2A30, 0xE3B23C, 0x3E7D4E, 0xDADADA)))
_TROUSERS = tuple(map(bgr, (0x28344E, 0x3B3B42, 0x6B5B4A, 0x23262B)))
_HELMETS = tuple(map(bgr, (0xF2F2F2, 0xD8432F, 0x2B2B33, 0xF0C23A, 0x2F7FB5)))
_TYRE, _SPOKE, _METAL = bgr(0x1B1B1F), bgr(0x8D9096), bgr(0x5B5E66)

_RADIUS = 0.33
_REAR, _FRONT = (-0.53, _RADIUS), (0.53, _RADIUS)
_CRANK, _SEAT, _HEAD, _GRIP = (-0.06, 0.29), (-0.22, 0.86), (0.36, 0.84), (0.40, 1.02)
_HIP, _SHOULDER = (-0.2, 0.95), (0.13, 1.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bicycle:
    """What one bicycle and its rider look like.

    Attributes:
        phases: Pictures per cycle of movement.
        frame: Colour of the frame.
        top: Colour of the rider's jacket.
        legs: Colour of the rider's trousers.
        skin: Colour of face and hands.
        hair: Colour of the hair.
        helmet: Colour of the helmet; None without one.
        basket: A basket hangs at the front.
    """

    phases: ClassVar[int] = 16
    frame: Colour
    top: Colour
    legs: Colour
    skin: Colour
    hair: Colour
    helmet: Colour | None
    basket: bool

    @property
    def length(self) -> float:
        """Extent in driving direction in metres."""
        return 2 * (_FRONT[0] + _RADIUS) + 0.04

    @property
    def cycle(self) -> float:
        """Metres after which the movement repeats: two turns of the pedals."""
        return 4.2

    @classmethod
    def random(cls, rng: np.random.Generator) -> Bicycle:
        """Choose a look at random."""
        return cls(
            frame=_FRAMES[rng.integers(len(_FRAMES))],
            top=TOPS[rng.integers(len(TOPS))],
            legs=_TROUSERS[rng.integers(len(_TROUSERS))],
            skin=SKIN[rng.integers(len(SKIN))],
            hair=HAIR[rng.integers(len(HAIR))],
            helmet=_HELMETS[rng.integers(len(_HELMETS))] if rng.random() < 0.6 else None,
            basket=bool(rng.random() < 0.35),
        )

    def shapes(self, phase: float) -> list[Shape]:
        """Give the shapes of one moment, back to front; `phase` in [0, 1) of the cycle."""
        turn = -4 * math.pi * phase
        pedal = 0.17 * math.cos(turn), 0.17 * math.sin(turn)
        far = _CRANK[0] - pedal[0], _CRANK[1] - pedal[1]
        near = _CRANK[0] + pedal[0], _CRANK[1] + pedal[1]
        return [
            *_leg(far, mix(self.legs, BLACK, 0.35)),
            *_wheel(_REAR, turn),
            *_wheel(_FRONT, turn),
            *self._frame(),
            stroke([far, near], _METAL, 0.035),
            *self._rider(),
            *_leg(near, self.legs),
            stroke([(0.1, 1.36), (0.2, 1.12), _GRIP], self.top, 0.095),
            disc(_GRIP, (0.045, 0.045), self.skin),
        ]

    def _frame(self) -> list[Shape]:
        tubes: list[Sequence[Point]] = [
            [_REAR, _CRANK, _SEAT, _REAR],
            [_CRANK, _HEAD, (-0.19, 0.76)],
            [_FRONT, _HEAD],
        ]
        parts = [stroke(tube, self.frame, 0.04) for tube in tubes]
        parts.append(stroke([_HEAD, (0.33, 0.98), _GRIP], _METAL, 0.035))
        parts.append(stroke([(-0.32, 0.9), (-0.12, 0.89)], _TYRE, 0.06))
        if self.basket:
            woven = [(0.42, 0.98), (0.72, 0.98), (0.68, 0.74), (0.46, 0.74)]
            parts.append(rounded(woven, bgr(0x9C7A4A), 1))
        return parts

    def _rider(self) -> list[Shape]:
        back = [(-0.33, 0.92), (-0.3, 1.1), (-0.05, 1.45), (0.1, 1.5)]
        front = [(0.22, 1.4), (0.1, 1.2), (-0.06, 0.92)]
        x, y = 0.24, 1.6
        head = [
            stroke([_SHOULDER, (x - 0.03, y - 0.06)], self.skin, 0.1),
            disc((x - 0.02, y + 0.03), (0.105, 0.1), self.hair),
            disc((x + 0.025, y - 0.015), (0.095, 0.11), self.skin),
        ]
        if self.helmet is not None:
            shell = [(x - 0.15, y + 0.03), (x - 0.1, y + 0.16), (x + 0.08, y + 0.16)]
            head.append(rounded([*shell, (x + 0.16, y + 0.05)], self.helmet, 2))
        else:
            head.append(stroke([(x - 0.05, y + 0.08), (x + 0.06, y + 0.08)], self.hair, 0.06))
        shade = [(-0.33, 0.92), (-0.3, 1.1), (-0.05, 1.45), (-0.04, 1.3), (-0.2, 0.92)]
        jacket = [rounded(back + front, self.top), rounded(shade, mix(self.top, BLACK, 0.2))]
        return [*head, *jacket]


def _wheel(centre: Point, turn: float) -> list[Shape]:
    angles = np.linspace(0, 2 * math.pi, 33)
    rim = np.column_stack([np.cos(angles), np.sin(angles)]) * (_RADIUS - 0.02) + centre
    spokes = []
    for k in range(4):
        dx = (_RADIUS - 0.03) * math.cos(turn + k * math.pi / 4)
        dy = (_RADIUS - 0.03) * math.sin(turn + k * math.pi / 4)
        ends = [(centre[0] - dx, centre[1] - dy), (centre[0] + dx, centre[1] + dy)]
        spokes.append(stroke(ends, _SPOKE, 0.008))
    return [*spokes, Shape(rim, _TYRE, 0.045), disc(centre, (0.04, 0.04), _METAL)]


def _leg(pedal: Point, colour: Colour) -> list[Shape]:
    """Thigh and shin of equal length from the hip to the pedal; the knee points forward."""
    foot = pedal[0] - 0.03, pedal[1] + 0.07
    dx, dy = foot[0] - _HIP[0], foot[1] - _HIP[1]
    distance = math.hypot(dx, dy)
    bend = math.sqrt(max(0.0, 0.44**2 - distance**2 / 4)) / distance
    knee = _HIP[0] + dx / 2 - dy * bend, _HIP[1] + dy / 2 + dx * bend
    return [
        stroke([foot, (pedal[0] + 0.09, pedal[1] + 0.04)], BLACK, 0.07),
        stroke([_HIP, knee, foot], colour, 0.125),
    ]
