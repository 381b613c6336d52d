"""Which sprites stand where in a frame: the common ground of the picture and of the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sightline.media.scene.sprite import GRID, Sprite, draw_shadow, draw_sprite
from sightline.media.scene.traffic import Walk, plan_traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.media.scene.furniture import Furniture
    from sightline.media.scene.light import Light
    from sightline.media.scene.settings import SceneSettings
    from sightline.media.scene.shape import Shape
    from sightline.media.scene.street import Camera

__all__ = ["Placed", "Stage"]

_SIZES = 4  # drawn sizes per pixel-per-metre, for those who come nearer
_CACHE_BYTES = 128_000_000  # for drawn sprites; long or large scenes only come near it


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A figure in the picture.

    Attributes:
        depth: Metres from the camera.
        column: Of the pixel on which the figure stands.
        row: Of that pixel.
        sprite: The figure.
        shadow: Its shadow on the ground.
        walk: Whose figure it is; None for furniture.
    """

    depth: float
    column: int
    row: int
    sprite: Sprite
    shadow: Sprite
    walk: Walk | None = None


class Stage:
    """Everybody who ever goes along the street, and what stands there; drawn when needed.

    Attributes:
        furniture: What does not move.
    """

    def __init__(self, settings: SceneSettings, camera: Camera, light: Light) -> None:
        self.furniture: list[Placed] = []
        self._camera = camera
        self._light = light
        self._walks = plan_traffic(settings, camera)
        self._starts = np.array([walk.start for walk in self._walks])
        self._ends = np.array([walk.end for walk in self._walks])
        sprite_bytes = settings.width * settings.height // 5
        cached = lru_cache(maxsize=_CACHE_BYTES // sprite_bytes)
        self._sprite, self._shadow = cached(self._draw_sprite), cached(self._draw_shadow)
        self._shapes = lru_cache(maxsize=1024)(self._shapes_of)

    def furnish(self, items: Sequence[Furniture]) -> None:
        """Set up what does not move."""
        for item in items:
            column, row = self._camera.project(item.x, item.depth)
            scale = self._camera.scale(item.depth)
            placed = Placed(
                depth=item.depth,
                column=round(column),
                row=round(row),
                sprite=self._tinted(draw_sprite(item.shapes, scale=scale, mirrored=False)),
                shadow=draw_shadow(item.shapes, scale=scale, mirrored=False),
            )
            self.furniture.append(placed)

    def moving(self, seq: int) -> list[Placed]:
        """Place everybody who is on the way at a frame."""
        on_the_way = np.flatnonzero((self._starts <= seq) & (seq <= self._ends))
        return [self._place(int(index), seq) for index in on_the_way]

    def _place(self, index: int, seq: int) -> Placed:
        walk = self._walks[index]
        x, depth, phase = walk.at(seq)
        column, row = self._camera.project(x, depth)
        column, offset = divmod(round(column * GRID), GRID)
        look = index, int(phase * walk.figure.phases), round(self._camera.scale(depth) * _SIZES)
        return Placed(
            depth=depth,
            column=column,
            row=round(row),
            sprite=self._sprite(*look, offset),
            shadow=self._shadow(*look),
            walk=walk,
        )

    def _shapes_of(self, index: int, phase: int) -> tuple[list[Shape], bool]:
        walk = self._walks[index]
        return walk.figure.shapes(phase / walk.figure.phases), walk.to_x < walk.from_x

    def _draw_sprite(self, index: int, phase: int, size: int, offset: int) -> Sprite:
        shapes, mirrored = self._shapes(index, phase)
        sprite = draw_sprite(shapes, scale=size / _SIZES, mirrored=mirrored, offset=offset)
        return self._tinted(sprite)

    def _draw_shadow(self, index: int, phase: int, size: int) -> Sprite:
        shapes, mirrored = self._shapes(index, phase)
        return draw_shadow(shapes, scale=size / _SIZES, mirrored=mirrored)

    def _tinted(self, sprite: Sprite) -> Sprite:
        assert sprite.paint is not None
        return replace(sprite, paint=self._light.tint(sprite.paint))
