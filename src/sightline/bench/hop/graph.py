"""Our side of the hop benchmark: the graph as users run it, with all that it guarantees."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2

from sightline.bench.hop.load import Tally, departures, make_images
from sightline.errors import GraphError
from sightline.frame import Frame
from sightline.graph.running import GraphRun
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.stream import Losses, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.bench.hop.load import HopLoad, HopResult

__all__ = ["sightline_graph"]

_NANOSECOND = Fraction(1, 10**9)
_DEADLINE_S = 120.0


def sightline_graph(load: HopLoad) -> HopResult:
    """Send images through a graph with one handler.

    Raises:
        GraphError: Not all frames arrived in time, or the graph failed.
    """
    sink = _TallySink(load)
    pipeline = Pipeline([_Gray()])
    with GraphRun(pipeline, [_Ring(load)], [sink], options=GraphOptions(handlers=1)) as run:
        sink.run = run
        if not run.wait(_DEADLINE_S):
            raise GraphError(f"the graph took more than {_DEADLINE_S:g} s for {load}")
    if sink.result is None:
        raise GraphError(f"the last frame of {load} did not arrive")
    return sink.result


class _Ring:
    """A source of images that exist already; `pts` is when it had each in hand."""

    def __init__(self, load: HopLoad) -> None:
        self._load = load
        self.losses = Losses()
        self.info = StreamInfo(
            name="ring",
            width=load.width,
            height=load.height,
            time_base=_NANOSECOND,
            frame_count=load.total,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield the images of the load when they are due."""
        images = make_images(self._load)
        for seq in departures(self._load):
            yield Frame(
                image=images[seq % len(images)],
                seq=seq,
                pts=time.monotonic_ns(),
                time_base=_NANOSECOND,
                stream="ring",
            )

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class _Gray(Stage):
    """Converts to grey levels, in the shared memory granted for the result."""

    def process(self, frame: Frame) -> Frame:
        gray = frame.empty_image(frame.image.shape[:2])
        cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY, dst=gray)
        return frame.replace(image=gray)


class _TallySink:
    """Counts what arrives; asks the graph for its processes when the first frame is there."""

    def __init__(self, load: HopLoad) -> None:
        self.run: GraphRun | None = None
        self.result: HopResult | None = None
        self._load = load
        self._tally: Tally | None = None

    def open(self, stream: StreamInfo) -> None:
        """Do nothing: processes are not known yet."""

    def write(self, frame: Frame) -> None:
        """Count a frame."""
        if self._tally is None:
            assert self.run is not None  # set right after the start
            processes = self.run.stats()["processes"]
            self._tally = Tally(self._load, list(processes.values()))
        self._tally.count(frame.seq, frame.pts, frame.image)
        if self._tally.complete:
            self.result = self._tally.samples().summarise()

    def close(self) -> None:
        """Do nothing: the tally stays."""

    def discard(self) -> None:
        """Do nothing: nothing was written."""
