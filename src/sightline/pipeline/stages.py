"""The stages that come with Sightline: detect, track, draw. Thin shells around the algorithms."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sightline.detect.catalogue import DEFAULT_MODEL
from sightline.detect.detector import AdjustableDetector
from sightline.detect.given_options import read_options
from sightline.detect.opening import open_detector
from sightline.draw.annotate import DrawStyle, Trails, copy_as_bgr, draw_onto
from sightline.errors import PipelineError
from sightline.pipeline.stage import Stage
from sightline.scope import Scope
from sightline.settings import Settings
from sightline.tracking.sort import Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sightline.detect.detector import Detector
    from sightline.frame import Frame
    from sightline.tracking.tracker import Tracker

__all__ = ["Detect", "Draw", "Track"]


class Detect(Stage):
    """Find objects; sets `frame.detections`.

    `confidence` and `nms` of ONNX detectors can be changed while it runs.

    Args:
        detector: A name from the catalogue (`sightline models list`), `demo`, `motion`, the path
            of an ONNX file, or a `Detector`.
        settings: Where models are cached; by default read from the environment.
        on_download: Told the bytes fetched and their final number, should a model be fetched.
        options: Options of the detector, such as `confidence`, `nms` and `classes`; see
            `OnnxOptions` and `MotionOptions`.

    Raises:
        ModelError: The name is unknown, or an option is unknown or wrong.
    """

    changes_image = False

    def __init__(
        self,
        detector: str | Path | Detector = DEFAULT_MODEL,
        *,
        settings: Settings | None = None,
        on_download: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> None:
        self.detector = open_detector(
            detector,
            options=read_options(detector, options),
            settings=settings or Settings.from_environment(os.environ),
            progress=on_download,
        )
        self.scope = self.detector.scope
        self.concurrency = self.detector.concurrency
        if isinstance(self.detector, AdjustableDetector):
            self.changeable = self.detector.changeable

    def open(self) -> None:
        """Load the model; download it first if the catalogue says where it is."""
        self.detector.open()
        self.concurrency = self.detector.concurrency

    def process(self, frame: Frame) -> Frame:
        """Replace the frame's detections by what the detector finds."""
        (detections,) = self.detector.detect([frame.image])
        return frame.replace(detections=detections)

    def apply_change(self, parameters: Mapping[str, Any]) -> None:
        """Change options of the detector."""
        if isinstance(self.detector, AdjustableDetector):
            self.detector.change(**parameters)

    def close(self) -> None:
        """Release the model."""
        self.detector.close()

    def describe(self) -> dict[str, Any]:
        """State the detector, its model and options."""
        return {"stage": self.name, **self.detector.describe()}


class Track(Stage):
    """Give objects identities that last from frame to frame; sets `detections.track_id`.

    Args:
        tracker: Default: `Sort()`.
    """

    scope = Scope.STREAM
    changes_image = False
    reads_image = False

    def __init__(self, tracker: Tracker | None = None) -> None:
        self.tracker: Tracker = tracker if tracker is not None else Sort()

    def open(self) -> None:
        """Start without tracks."""
        self.tracker.reset()

    def process(self, frame: Frame) -> Frame:
        """Advance the tracks by this frame."""
        return frame.replace(detections=self.tracker.update(frame.detections))

    def describe(self) -> dict[str, Any]:
        """State the tracker and its options."""
        return {"stage": self.name, **self.tracker.describe()}


class Draw(Stage):
    """Draw boxes, labels and trails onto a copy of the image.

    Without trails it is `STATELESS`; trails depend on earlier frames and make it `STREAM`.

    Args:
        trails: How many frames of its path to draw behind each track, at least 2; 0 for none.
        style: Colours, line width and what labels say; a `DrawStyle` or its parameters.
    """

    def __init__(
        self, *, trails: int = 0, style: DrawStyle | Mapping[str, Any] | None = None
    ) -> None:
        if trails < 0 or trails == 1:
            raise PipelineError(f"trails must be 0, or 2 or more frames, but is {trails}")
        self.style = style if isinstance(style, DrawStyle) else DrawStyle(**(style or {}))
        self.scope = Scope.STREAM if trails else Scope.STATELESS
        self._length = trails
        self._trails: Trails | None = None

    def open(self) -> None:
        """Start without trails."""
        self._trails = Trails(self._length) if self._length else None

    def process(self, frame: Frame) -> Frame:
        """Replace the image by an annotated copy."""
        if self._trails is not None:
            self._trails.update(frame.detections)
        canvas = frame.empty_image((frame.height, frame.width, 3))
        copy_as_bgr(frame.image, canvas)
        draw_onto(canvas, frame.detections, style=self.style, trails=self._trails)
        return frame.replace(image=canvas)

    def describe(self) -> dict[str, Any]:
        """State the length of the trails."""
        return {"stage": self.name, "trails": self._length}
