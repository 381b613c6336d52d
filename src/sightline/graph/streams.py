"""What a hub knows of one stream: where it comes from, how far it is, when it is opened anew."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from sightline.graph.modes import Mode, StreamPolicy

if TYPE_CHECKING:
    from sightline.graph.lane import Lane
    from sightline.graph.report import StreamReport
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.stream import StreamInfo
    from sightline.transport.messages import FrameId

__all__ = ["Replacement", "StreamState"]

_LIVE_SCHEMES = ("rtsp://", "rtsps://")
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_SETTLED_NS = 5_000_000_000
"""A source that has delivered frames for so long may be opened at once when it fails again."""
_MOST_DEATHS = 3
"""How often the process of a recorded source may die at one and the same frame."""


@dataclass(slots=True, eq=False)
class Replacement:
    """Another source for a stream, before it is open.

    Attributes:
        spec: As it was asked for, with what stays of the stream.
        feeder: Identity of the feeder that opens it.
        error: Why it was given up; None: it is being opened.
    """

    spec: StreamSpec
    feeder: bytes
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class _Joint:
    """Where the frames of a source join a stream, if its feeder could not be told.

    Attributes:
        seq: What is added to the numbers of its feeder, which count from 0.
        pts: What is added to its timestamps; None before the first frame.
    """

    seq: int
    pts: int | None = None


@dataclass(slots=True, eq=False)
class StreamState:
    """One stream.

    Attributes:
        spec: As it was asked for.
        name: Its name; until it is announced, a stand-in.
        feeder: Identity of the feeder that reads it now.
        info: As announced; None before.
        policy: What to do under overload.
        report: Its account; None before it is announced.
        lane: Its ordered part, once it runs.
        epoch: Incarnation.
        begun: Number of the first frame of this incarnation.
        starts_s: Time at which this incarnation continues the stream; None: its own.
        latest: The frame that was admitted last.
        admitted: Numbers given out.
        settled: Numbers that have their outcome.
        window: Frames that may be under way.
        end: Count of numbers, once the source is over for good.
        error: What ended it.
        reopen_at_s: When to open the source anew; None: not.
        reads_on: The source was cut short: opened anew, a recording is read on where it was.
        replacement: The source that was meant to take the place of this one last, until it has.
        joint: Where the frames of its feeder join the stream; None: the feeder knows.
        attempts: How often it was opened anew since it was settled last.
        since_ns: When the first frame of its feeder was captured; None: none has come.
        deaths: Number of the frame after which its process died, and how often in a row.
        is_over: Its lane is closed, or it never had one; nothing will happen any more.
        is_closing: Its lane was told to end.
        is_cut: It was removed or stopped before its source ended.
        was_added: It came after the start of the graph, which does not end for its sake.
    """

    spec: StreamSpec
    name: str
    feeder: bytes
    window: int
    info: StreamInfo | None = None
    policy: StreamPolicy = field(default_factory=StreamPolicy)
    report: StreamReport | None = None
    lane: Lane | None = None
    epoch: int = 0
    begun: int = 0
    starts_s: float | None = None
    latest: FrameId | None = None
    admitted: int = 0
    settled: int = 0
    end: int | None = None
    error: Exception | None = None
    reopen_at_s: float | None = None
    reads_on: bool = False
    replacement: Replacement | None = None
    joint: _Joint | None = None
    attempts: int = 0
    since_ns: int | None = None
    deaths: tuple[int, int] = (-1, 0)
    is_over: bool = False
    is_closing: bool = False
    is_cut: bool = False
    was_added: bool = False

    @property
    def was_tried(self) -> bool:
        """Whether its source was opened, or could not be and no other one is being opened."""
        if self.info is not None:
            return True
        has_died = not self.is_live and self.deaths[1] > 0  # it is given up, or opened, in a moment
        waits = self.reopen_at_s is not None and not has_died
        return not self.is_replacing and (self.end is not None or waits)

    @property
    def is_replacing(self) -> bool:
        """Whether another source is being opened to take the place of this one."""
        return self.replacement is not None and self.replacement.error is None

    @property
    def in_flight(self) -> int:
        """Frames under way."""
        return self.admitted - self.settled

    @property
    def is_live(self) -> bool:
        """Whether the source is a camera or the like, which does not wait while nobody reads it."""
        return _seems_live(self.spec.source) if self.info is None else self.info.live

    @property
    def is_settled(self) -> bool:
        """Whether its source has delivered frames for a while since it was opened."""
        if self.latest is None or self.since_ns is None:
            return False
        return self.latest.captured_ns - self.since_ns >= _SETTLED_NS

    def took(self, about: FrameId) -> None:
        """Note that a frame was admitted."""
        self.admitted = about.seq + 1
        self.latest = about
        if self.since_ns is None:
            self.since_ns = about.captured_ns

    def begin_epoch(self) -> None:
        """Begin a new incarnation with the next frame."""
        self.epoch += 1
        self.begun = self.admitted
        if (latest := self.latest) is not None:
            elapsed_s = (time.monotonic_ns() - latest.captured_ns) * 1e-9
            numerator, denominator = latest.time_base
            self.starts_s = latest.pts * numerator / denominator + max(0.0, elapsed_s)

    def spec_with(self, spec: StreamSpec) -> StreamSpec:
        """Say how another source is read for this stream; name, mode and staleness stay."""
        old = self.spec
        name = old.name if self.info is None else self.name
        return replace(spec, name=name, mode=old.mode, staleness_s=old.staleness_s)

    def turn_to(self, replacement: Replacement) -> None:
        """Take the frames from another source from now on."""
        self.spec, self.feeder = replacement.spec, replacement.feeder
        self.replacement = None
        self.begin_epoch()
        self.joint = _Joint(self.admitted)
        self.end = self.error = self.reopen_at_s = None
        self.attempts, self.since_ns, self.deaths = 0, None, (-1, 0)

    def placed(self, about: FrameId) -> FrameId:
        """Give a frame its place in the stream, as far as its feeder does not know it."""
        joint = self.joint
        if joint is None:
            if about.stream == self.name:
                return about
            return msgspec.structs.replace(about, stream=self.name)
        if joint.pts is None:
            starts_s, unit_s, joint.pts = self.starts_s, Fraction(*about.time_base), 0
            if starts_s is not None and unit_s:
                joint.pts = math.ceil(starts_s / unit_s) - about.pts
        return msgspec.structs.replace(
            about,
            stream=self.name,
            epoch=self.epoch,
            seq=about.seq + joint.seq,
            pts=about.pts + joint.pts,
        )

    def choose_policy(self) -> StreamPolicy:
        """Take the wished policy, or the one that fits the source."""
        usual = Mode.AUTO if self.is_live else Mode.EVERY_FRAME
        mode = usual if self.spec.mode is None else Mode(self.spec.mode)
        paced = self.is_live or self.spec.rate is not None
        return StreamPolicy(mode=mode, staleness_s=self.spec.staleness_s, paced=paced)

    def wants_restart(self, *, failed: bool) -> bool:
        """Decide whether a source that ended is to be opened anew."""
        if self.is_cut:
            return False
        restart = self.spec.restart or ("on-failure" if self.is_live else "never")
        return restart == "always" or (restart == "on-failure" and failed)

    def died_too_often(self) -> bool:
        """Count a death of the source's process; tell whether the same frame kills it always."""
        frame, times = self.deaths
        self.deaths = (self.admitted, times + 1 if frame == self.admitted else 1)
        return not self.is_live and self.deaths[1] >= _MOST_DEATHS

    def next_delay_s(self, *, failed: bool) -> float:
        """Tell how long to wait before the source is opened again: longer every time.

        The first time, one that was settled, and a recording that is through are not waited for.
        """
        is_through = not failed and not self.is_live and self.since_ns is not None
        if self.is_settled or is_through:
            self.attempts = 0
        delay = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (self.attempts - 1))
        self.attempts += 1
        return delay if self.attempts > 1 else 0.0


def _seems_live(source: object) -> bool:
    """Guess from where a source is whether it is live, before it is open."""
    if isinstance(source, int):
        return True
    return isinstance(source, str) and source.lower().startswith(_LIVE_SCHEMES)
