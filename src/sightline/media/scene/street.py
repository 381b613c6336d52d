"""Where things lie along the street, and where the camera sees them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CYCLE_WAY", "FACADES", "FAR_PAVEMENT", "NEAR_PAVEMENT", "ROAD", "Camera"]

NEAR_PAVEMENT = (6.0, 9.55)
"""Nearest and farthest edge of the strip, in metres from the camera; so the others."""
CYCLE_WAY = (9.75, 11.15)
ROAD = (11.15, 16.3)
FAR_PAVEMENT = (16.5, 18.6)
FACADES = 18.6
"""Distance of the house fronts in metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A level camera 4 m above the ground that looks straight across the street.

    Attributes:
        width: Of the picture in pixels.
        height: Of the picture in pixels.
    """

    width: int
    height: int

    @property
    def horizon(self) -> float:
        """Row of the horizon in pixels."""
        return 0.34 * self.height

    def scale(self, depth: float) -> float:
        """Give the pixels per metre at a distance in metres.

        >>> Camera(width=640, height=360).scale(9.0)
        50.0
        """
        return 1.25 * self.height / depth

    def project(self, x: float, depth: float, above: float = 0.0) -> tuple[float, float]:
        """Give column and row, in pixels, of a point.

        Args:
            x: Metres to the right of the middle of the picture.
            depth: Metres from the camera.
            above: Metres above the ground.
        """
        scale = self.scale(depth)
        return self.width / 2 + x * scale, self.horizon + (4.0 - above) * scale

    def half_view(self, depth: float) -> float:
        """Give the metres from the middle of the picture to its edge at a distance."""
        return self.width / 2 / self.scale(depth)
