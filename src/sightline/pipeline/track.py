"""The simplest use: frames of a video with tracked objects, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Detect, Track

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.detect.detector import Detector
    from sightline.media.source import Source
    from sightline.pipeline.inline import InlineRun
    from sightline.tracking.tracker import Tracker

__all__ = ["track"]


def track(
    source: str | int | Path | Source,
    detector: str | Path | Detector = "yolox-s",
    *,
    tracker: Tracker | None = None,
    **options: Any,
) -> InlineRun:
    """Detect and track the objects of a video; iterate over the result for its frames.

        for frame in sl.track("street.mp4", classes=["person"]):
            print(frame.seq, frame.detections.track_id, frame.detections.xyxy)

    Args:
        source: A file, a folder of images, a camera index, a URL, or a `Source`.
        detector: See `Detect`.
        tracker: Default: `Sort()`.
        options: Further options of `Detect`, such as `confidence` and `classes`.

    Raises:
        MediaError: The source cannot be opened.
        ModelError: The model cannot be found, loaded or understood.
    """
    return Pipeline([Detect(detector, **options), Track(tracker)]).frames(source)
