"""The seam between pipelines and multi-object trackers. It knows no algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sightline.detections import Detections

__all__ = ["Tracker"]


@runtime_checkable
class Tracker(Protocol):
    """Gives the objects of one stream identities that last from frame to frame.

    A tracker is fed every frame of one stream in order, including frames without detections.
    """

    def update(self, detections: Detections) -> Detections:
        """Advance by one frame.

        Args:
            detections: Objects found in this frame; their `track_id` is ignored.

        Returns:
            Detections with `track_id`: positive where an object is on a confirmed track, its box
            then being the tracker's estimate; −1 where it is not (yet), its box unchanged.
        """

    def reset(self) -> None:
        """Forget all tracks and start numbering at 1 again."""

    def describe(self) -> dict[str, Any]:
        """State name and options, as JSON values, for reports."""
