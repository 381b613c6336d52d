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

    A track counts for the class that its object had when it was first seen. The tallies that
    `for_stream` makes are part of the sum of the one that made them.

    Attributes:
        detections: By class, of this tally itself.
        tracks: By class, of this tally itself.
    """

    def __init__(self) -> None:
        self.detections: Counter[str] = Counter()
        self.tracks: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._streams: dict[str, Tally] = {}

    def for_stream(self, stream: StreamInfo) -> Tally:
        """Make the tally of one stream, or return it if it was made before."""
        return self._streams.setdefault(stream.name, Tally())

    def open(self, stream: StreamInfo) -> None:  # noqa: ARG002 - all streams count alike
        """Begin with a stream; its tracks are others than those of the stream before."""
        self._seen.clear()

    def write(self, frame: Frame) -> None:
        """Count the objects of a frame."""
        detections = frame.detections
        for row, track_id in enumerate(detections.track_id.tolist()):
            name = detections.class_name(row)
            self.detections[name] += 1
            if track_id > 0 and track_id not in self._seen:
                self._seen.add(track_id)
                self.tracks[name] += 1

    def close(self) -> None:
        """Do nothing: the counts stay."""

    def discard(self) -> None:
        """Do nothing: nothing was written."""

    def as_dict(self) -> dict[str, Any]:
        """Report the counts by class, most frequent first."""
        parts = [self, *self._streams.values()]
        detections = sum((part.detections for part in parts), Counter())
        tracks = sum((part.tracks for part in parts), Counter())
        return {
            "detections": dict(detections.most_common()),
            "tracks": dict(tracks.most_common()),
        }

    def by_stream(self) -> dict[str, dict[str, Any]]:
        """Report the counts of each stream by its name."""
        return {name: tally.as_dict() for name, tally in self._streams.items()}
