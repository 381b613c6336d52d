"""Generated crowds: boxes of constant velocity, detected with noise, for measuring trackers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Crowd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Objects that cross an image; one that leaves it is replaced by one that enters.

    Attributes:
        count: Objects in the image.
        frames: How many frames there are.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        object_width: Least and greatest width of an object in pixels; it is half as high again.
        speed: Standard deviation of each component of a velocity, in pixels per frame.
        noise: Standard deviation of each side of a detected box, in pixels.
        missed: Share of the objects that a frame's detections lack.
        seed: Seed of everything random.
    """

    count: int
    frames: int
    width: int = 1920
    height: int = 1080
    object_width: tuple[float, float] = (40.0, 120.0)
    speed: float = 4.0
    noise: float = 1.5
    missed: float = 0.05
    seed: int = 0

    def boxes(self) -> Iterator[NDArray[np.float32]]:
        """Yield the detected boxes of each frame, float32 (N, 4) as xyxy, in random order.

        >>> [boxes.shape for boxes in Crowd(count=3, frames=2, missed=0.0).boxes()]
        [(3, 4), (3, 4)]
        """
        rng = np.random.default_rng(self.seed)
        extent = np.array([self.width, self.height], np.float64)
        centre = rng.uniform(0.0, extent, (self.count, 2))
        velocity = rng.normal(0.0, self.speed, (self.count, 2))
        object_width = rng.uniform(*self.object_width, (self.count, 1))
        half = object_width * [0.5, 0.75]
        for _ in range(self.frames):
            exact = np.concatenate((centre - half, centre + half), axis=1)
            found = rng.permutation(np.flatnonzero(rng.random(self.count) >= self.missed))
            yield (exact + rng.normal(0.0, self.noise, exact.shape))[found].astype(np.float32)
            centre += velocity
            left = np.flatnonzero(((centre < 0.0) | (centre > extent)).any(axis=1))
            centre[left], velocity[left] = self._entering(rng, len(left))

    def _entering(
        self, rng: np.random.Generator, count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw centres on the border of the image, and velocities that lead inwards."""
        extent = np.array([self.width, self.height], np.float64)
        centre = rng.uniform(0.0, extent, (count, 2))
        velocity = rng.normal(0.0, self.speed, (count, 2))
        rows, axis = np.arange(count), rng.integers(0, 2, count)
        far = rng.integers(0, 2, count)
        centre[rows, axis] = far * extent[axis]
        velocity[rows, axis] = np.abs(velocity[rows, axis]) * (1 - 2 * far)
        return centre, velocity
