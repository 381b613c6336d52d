"""Counts what the frames of a job hold against the limits of the service, while they are done.

Ingest has checked what a file says and shows of itself; decoders and stages may still find more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.detections import UNTRACKED
from sightline.jobs.limits import LimitError

if TYPE_CHECKING:
    from sightline.detections import Detections
    from sightline.frame import Frame
    from sightline.jobs.limits import MediaLimits

__all__ = ["Allowance"]


class Allowance:
    """What one task may still take of the limits. Used by one thread.

    Args:
        limits: Those of the service.
    """

    def __init__(self, limits: MediaLimits) -> None:
        self._limits = limits
        self._frames = 0
        self._pixels = 0
        self._tracks: set[int] = set()

    def take_frame(self, frame: Frame) -> None:
        """Count a frame that was read.

        Raises:
            LimitError: It is one too many, or its pixels are.
        """
        limits = self._limits
        self._frames += 1
        self._pixels += frame.width * frame.height
        if self._frames > limits.max_frames:
            raise _over(f"more than {limits.max_frames} frames")
        if self._pixels > limits.max_total_pixels:
            raise _over(f"more than {limits.max_total_pixels} pixels in all its frames")

    def take_objects(self, detections: Detections) -> None:
        """Count what was found in a frame.

        Raises:
            LimitError: These are too many objects for a frame, or there are too many tracks.
        """
        limits = self._limits
        if len(detections) > limits.max_objects:
            raise LimitError(
                f"a frame has {len(detections)} objects, but at most {limits.max_objects} are "
                "taken; raise the confidence, or choose fewer classes",
                code="too-many-objects",
            )
        self._tracks.update(detections.track_id.tolist())
        self._tracks.discard(UNTRACKED)
        if len(self._tracks) > limits.max_tracks:
            raise LimitError(
                f"there are more than {limits.max_tracks} tracks; "
                "raise the confidence, choose fewer classes, or submit the video in parts",
                code="too-many-tracks",
            )


def _over(what: str) -> LimitError:
    return LimitError(f"the video has {what}, which is not taken", code="source-over-limit")
