"""One load for all sides of the hop benchmark, and what a side makes of it.

A source hands over images that exist already, one handler turns each into grey levels, a sink
takes the result. What counts as delivered, when the clock starts and which processor time belongs
to a frame is said here once, for all sides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.bench.processor_time import clocked_s
from sightline.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sightline.frame import Image

__all__ = [
    "MARKS",
    "WARM_UP",
    "HopLoad",
    "HopResult",
    "Samples",
    "Tally",
    "departures",
    "make_images",
]

WARM_UP = 20
"""Frames that go before the measured ones: connections settle, and pages are touched."""

MARKS = (40, 120, 200)
"""Grey level of the first and the last pixel of each image of the source's ring.

Their number divides no usual number of slots, so that a frame overwritten by a later one shows.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopLoad:
    """What goes through the three processes.

    Attributes:
        width: Width of the images in pixels.
        height: Height of the images in pixels.
        frames: How many frames are measured, after `WARM_UP` that are not; at least 2.
        rate: Frames per second that the source hands over; None for as fast as it goes.
    """

    width: int
    height: int
    frames: int
    rate: float | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"an image has 1 pixel or more, not {self.width}x{self.height}")
        if self.frames < 2:
            raise ValueError(f"frames must be 2 or more, but is {self.frames}")
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"rate must be more than 0, but is {self.rate}")

    @property
    def total(self) -> int:
        """Number of frames that the source sends, the first `WARM_UP` included."""
        return WARM_UP + self.frames

    @property
    def image_bytes(self) -> int:
        """Size of one image of the source."""
        return self.width * self.height * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HopResult:
    """What a side made of a load.

    Attributes:
        frames_per_second: Frames delivered between the first and the last measured one.
        latency_p50_ms: Median time from the source's having the image, before it sends or waits
            to send, until the sink has the result.
        latency_p95_ms: 95th percentile of the same.
        cpu_ms_per_frame: User and system time of all processes between the first and the last
            measured frame, by the frames delivered between them.
        delivered: Measured frames that arrived intact; the others were lost or overwritten.
    """

    frames_per_second: float
    latency_p50_ms: float
    latency_p95_ms: float
    cpu_ms_per_frame: float
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the sink saw of the measured frames.

    Attributes:
        sent_ns: Of each frame delivered, `time.monotonic_ns()` when the source had the image.
        received_ns: Of each frame delivered, the same clock when the sink had the result.
        cpu_s: Processor time of all processes from the first frame delivered to the last.
    """

    sent_ns: Sequence[int]
    received_ns: Sequence[int]
    cpu_s: float

    def summarise(self) -> HopResult:
        """Turn times into figures.

        Raises:
            GraphError: Fewer than two frames were delivered.

        >>> ms = 1_000_000
        >>> Samples(sent_ns=[0, 10 * ms], received_ns=[4 * ms, 14 * ms], cpu_s=0.003).summarise()
        ... # doctest: +NORMALIZE_WHITESPACE
        HopResult(frames_per_second=100.0, latency_p50_ms=4.0, latency_p95_ms=4.0,
                  cpu_ms_per_frame=3.0, delivered=2)
        """
        delivered = len(self.received_ns)
        if delivered < 2:
            raise GraphError(f"{delivered} frames were delivered, where 2 are needed to measure")
        latency_ms = np.subtract(self.received_ns, self.sent_ns) / 1e6
        between = delivered - 1
        return HopResult(
            frames_per_second=between / (self.received_ns[-1] - self.received_ns[0]) * 1e9,
            latency_p50_ms=float(np.percentile(latency_ms, 50)),
            latency_p95_ms=float(np.percentile(latency_ms, 95)),
            cpu_ms_per_frame=self.cpu_s / between * 1e3,
            delivered=delivered,
        )


class Tally:
    """The sink's record of a load.

    Args:
        load: What is expected.
        pids: All processes whose processor time counts.
    """

    def __init__(self, load: HopLoad, pids: Sequence[int]) -> None:
        self._last = load.total - 1
        self._pids = pids
        self._sent_ns: list[int] = []
        self._received_ns: list[int] = []
        self._cpu_s = 0.0
        self.complete = False

    def count(self, seq: int, sent_ns: int, gray: Image) -> None:
        """Record the result of frame `seq`, if it is a measured one and intact."""
        received_ns = time.monotonic_ns()
        self.complete = seq >= self._last
        mark = MARKS[seq % len(MARKS)]
        if seq < WARM_UP or gray[0, 0] != mark or gray[-1, -1] != mark:
            return
        if not self._sent_ns:
            self._cpu_s = clocked_s(self._pids)
        self._sent_ns.append(sent_ns)
        self._received_ns.append(received_ns)

    def samples(self) -> Samples:
        """State what was recorded; to be called when the last frame is here."""
        cpu_s = clocked_s(self._pids) - self._cpu_s
        return Samples(sent_ns=self._sent_ns, received_ns=self._received_ns, cpu_s=cpu_s)


def departures(load: HopLoad) -> Iterator[int]:
    """Yield the number of each frame of a load when it is due.

    The schedule is absolute: one late frame delays no other.
    """
    start = time.monotonic()
    for seq in range(load.total):
        if load.rate is not None:
            time.sleep(max(0.0, start + seq / load.rate - time.monotonic()))
        yield seq


def make_images(load: HopLoad) -> list[Image]:
    """Make the source's ring: noise of shape (H, W, 3), uint8, BGR, with a mark in two corners."""
    rng = np.random.default_rng(0)
    images = []
    for mark in MARKS:
        image = rng.integers(0, 256, (load.height, load.width, 3), np.uint8)
        image[0, 0] = image[-1, -1] = mark
        images.append(image)
    return images
