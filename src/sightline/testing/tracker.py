"""A tracker for tests of what surrounds trackers: no motion model, no probation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detections import UNTRACKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detections import Detections

__all__ = ["NearestTracker"]


class NearestTracker:
    """Gives an object the id of the nearest one of the frame before; otherwise a new id.

    An object continues a track if its centre is within `reach_px` and no other object is nearer.
    Every object is on a confirmed track at once, its box being the estimate. An object that is
    missing in one frame is a new one in the next. Boxes that are not finite are on no track.

    Args:
        reach_px: How far a centre may move from one frame to the next, in pixels; positive.
    """

    def __init__(self, reach_px: float = 50.0) -> None:
        if not reach_px > 0:
            raise ValueError(f"reach_px must be positive, but is {reach_px}")
        self.reach_px = reach_px
        self.reset()

    def reset(self) -> None:
        """Forget all objects and start numbering at 1 again."""
        self._centres = np.empty((0, 2))
        self._ids = np.empty(0, np.int64)
        self._next_id = 1

    def update(self, detections: Detections) -> Detections:
        """Advance by one frame."""
        centres = (detections.xyxy[:, :2] + detections.xyxy[:, 2:].astype(np.float64)) / 2
        usable = np.isfinite(centres).all(axis=1)
        track_id = np.full(len(detections), UNTRACKED, np.int64)
        track_id[usable] = self._identify(centres[usable])
        self._centres, self._ids = centres[usable], track_id[usable]
        return detections.replace(track_id=track_id)

    def _identify(self, centres: NDArray[np.float64]) -> NDArray[np.int64]:
        offsets = centres[:, None] - self._centres[None]
        distances = np.hypot(offsets[..., 0], offsets[..., 1])
        ids = np.full(len(centres), UNTRACKED, np.int64)
        for flat in np.argsort(distances, axis=None, kind="stable"):
            row, column = divmod(int(flat), len(self._ids))
            if distances[row, column] > self.reach_px:
                break
            if ids[row] == UNTRACKED and self._ids[column] not in ids:
                ids[row] = self._ids[column]
        new = ids == UNTRACKED
        ids[new] = np.arange(self._next_id, self._next_id + new.sum())
        self._next_id += int(new.sum())
        return ids

    def describe(self) -> dict[str, Any]:
        """State the name and the reach."""
        return {"tracker": "nearest", "reach_px": self.reach_px}
