"""How soon frames are there: beside a source that disturbs, after a kill, with many objects."""

from __future__ import annotations

import os
import signal
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.bench.chunk_stages import Waits
from sightline.detections import Detections
from sightline.errors import GraphError
from sightline.frame import Frame
from sightline.graph.running import GraphRun
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stream_spec import StreamSpec
from sightline.stream import Losses, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NEIGHBOURS", "Blank", "age_beside", "age_with_objects", "failover_p95_s"]

_FPS = 50
_SECONDS = 5
_STAGE_S = 0.004
_OBJECT_S = 0.010
_KILLS = 6
_LOOK_EVERY_S = 0.2
_FOREVER = 10**9
_DEADLINE_S = 120.0
_SIZE = (48, 64)


class Blank:
    """A source of small black images.

    Args:
        frames: How many.
        name: Of the stream.
    """

    def __init__(self, frames: int, name: str = "blank") -> None:
        self.losses = Losses()
        self.info = StreamInfo(
            name=name,
            width=_SIZE[1],
            height=_SIZE[0],
            time_base=Fraction(1, 1000),
            frame_count=frames,
        )
        self._frames = frames

    def frames(self) -> Iterator[Frame]:
        """Yield them as fast as they are taken."""
        image = np.zeros((*_SIZE, 3), np.uint8)
        for seq in range(self._frames):
            yield Frame(image=image, seq=seq, pts=seq, stream=self.info.name)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class Stalling(Blank):
    """Comes to a standstill after 20 frames."""

    def frames(self) -> Iterator[Frame]:
        """Yield the first ones."""
        for frame in super().frames():
            if frame.seq == 20:
                time.sleep(_DEADLINE_S)
            yield frame


class Dying(Blank):
    """Kills its process after 20 frames."""

    def frames(self) -> Iterator[Frame]:
        """Yield the first ones."""
        for frame in super().frames():
            if frame.seq == 20:
                os.kill(os.getpid(), signal.SIGKILL)
            yield frame


class FiveObjects(Stage):
    """Finds five objects in every frame."""

    changes_image = False

    def process(self, frame: Frame) -> Frame:
        """Find them."""
        boxes = [[8 * n, 4, 8 * n + 8, 12] for n in range(5)]
        return frame.replace(detections=Detections(xyxy=np.array(boxes, np.float32)))


NEIGHBOURS: dict[str, StreamSpec | None] = {
    "alone": None,
    "one that stalls": StreamSpec(Stalling(_FOREVER, "other"), rate=_FPS),
    "one that dies": StreamSpec(Dying(_FOREVER, "other"), rate=_FPS),
    "a recording at full speed": StreamSpec(Blank(_FOREVER, "other")),
    "a live one that floods": StreamSpec(Blank(_FOREVER, "other"), mode="auto"),
}
"""What a stream of 50 frames/s has beside it."""


def age_beside(neighbour: StreamSpec | None) -> float:
    """Measure the median age at the sink of a stream of 50 frames/s, in seconds.

    Its stage takes 4 ms; there are three handlers.

    Raises:
        GraphError: Its frames did not all come.
    """
    good = StreamSpec(Blank(_FPS * _SECONDS, "good"), rate=_FPS)
    sources = [good] if neighbour is None else [good, neighbour]
    with GraphRun(Pipeline([Waits(_STAGE_S)]), sources, options=GraphOptions(handlers=3)) as run:
        until_s = time.monotonic() + _DEADLINE_S
        while not _is_over(run, "good"):
            if time.monotonic() > until_s:
                raise GraphError(f"a stream beside another took more than {_DEADLINE_S:g} s")
            time.sleep(0.05)
    return _ms(run.report.streams["good"].hops["age"], "p50_ms") / 1000


def age_with_objects(handlers: int) -> float:
    """Measure the median age at the sink of frames with five objects, in seconds.

    A stage takes 10 ms for each object; there are 10 frames/s.

    Raises:
        GraphError: It takes far too long.
    """
    pipeline = Pipeline([FiveObjects(), PerObject(Waits(_OBJECT_S))])
    spec = StreamSpec(Blank(10 * _SECONDS), rate=10)
    with GraphRun(pipeline, [spec], options=GraphOptions(handlers=handlers)) as run:
        if not run.wait(_DEADLINE_S):
            raise GraphError(f"{handlers} handlers took more than {_DEADLINE_S:g} s")
    (stream,) = run.report.streams.values()
    return _ms(stream.hops["age"], "p50_ms") / 1000


def failover_p95_s(stage: Stage, frames: int) -> float:
    """Kill one of two handlers six times; measure the p95 of the time to fail over, in seconds.

    That is from the death of a handler to the result of a frame that it had.

    Raises:
        GraphError: A frame was lost.
    """
    options = GraphOptions(handlers=2, max_attempts=100)
    with GraphRun(Pipeline([stage]), [Blank(frames)], options=options) as run:
        kills = 0
        while not run.wait(_LOOK_EVERY_S):
            account = run.stats()
            if account["handlers"] == 2 and kills < _KILLS and account["frames"]:
                handlers = [who for who in account["processes"] if who.startswith("handler")]
                os.kill(account["processes"][handlers[kills % 2]], signal.SIGKILL)
                kills += 1
    if not run.report.complete:
        raise GraphError("frames were lost where handlers were killed")
    return _ms(run.report.failovers, "p95_ms") / 1000


def _is_over(run: GraphRun, stream: str) -> bool:
    account = run.stats()["streams"].get(stream)
    return account is not None and bool(account["ended"])


def _ms(histogram: Any, figure: str) -> float:
    return float(histogram.as_dict()[figure] or 0.0)
