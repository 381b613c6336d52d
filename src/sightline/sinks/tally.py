"""Counting what was found, for summaries."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.stream import StreamInfo

__all__ = ["Tally"]


class Tally:
    """Counts detections and tracks by class; writes nothing.

    A track counts for the class that its object had when it was first seen.
    """

    def __init__(self) -> None:
        self._detections: Counter[str] = Counter()
        self._tracks: Counter[str] = Counter()
        self._seen: set[int] = set()

    def open(self, stream: StreamInfo) -> None:
        """Do nothing: there is nothing to open."""

    def write(self, frame: Frame) -> None:
        """Count the objects of a frame."""
        detections = frame.detections
        for row, track_id in enumerate(detections.track_id.tolist()):
            name = detections.class_name(row)
            self._detections[name] += 1
            if track_id > 0 and track_id not in self._seen:
                self._seen.add(track_id)
                self._tracks[name] += 1

    def close(self) -> None:
        """Do nothing: the counts stay."""

    def discard(self) -> None:
        """Do nothing: nothing was written."""

    def as_dict(self) -> dict[str, Any]:
        """Report the counts by class, most frequent first."""
        return {
            "detections": dict(self._detections.most_common()),
            "tracks": dict(self._tracks.most_common()),
        }
