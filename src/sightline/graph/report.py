"""The account of a graph: what became of every frame of every stream, and how long it took."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.graph.histogram import Histogram
from sightline.graph.rate import RecentRate
from sightline.graph.recent_hops import RecentHops

if TYPE_CHECKING:
    from sightline.graph.modes import StreamPolicy
    from sightline.graph.occupancy import Occupancy
    from sightline.graph.record import FrameRecord
    from sightline.pipeline.report import RunReport

__all__ = ["HOPS", "GraphReport", "StreamReport"]

HOPS = ("admit", "wait", "process", "return", "order", "finish", "age")
"""Where a frame spends its time: from the source to the hub; until a handler begins; in the
handler; back to the hub; until its turn in the order of the stream; in stream stages and sinks; and
the age of the frame when the sinks are done, which is the sum."""

_MOST_FAILED = 100
"""So many of the first failed frames are kept, and of the latest: all of a year are too many."""


def _hops() -> dict[str, Histogram]:
    return {hop: Histogram() for hop in HOPS}


@dataclass(slots=True, kw_only=True)
class StreamReport:
    """What became of one stream; it grows while the graph runs.

    Attributes:
        run: The account that an inline run gives, too. `run.dropped` counts by stage, or by stage
            and reason where the graph dropped frames: `dispatch: stale`. `run.failed` holds the
            first 100 and the latest 100 failed frames; `failures` counts all.
        policy: What is done when there are more frames than can be processed.
        admitted: Numbers given out by the source.
        failures: Failed frames by stage.
        hops: How long frames were on each part of their way; see `HOPS`.
        occupancy: How full the window of frames under way was; None: it is not known here.
        restarts: How often the source was opened anew.
        replacements: How often another source took its place.
        error: What ended the stream, if it did not end by itself.
        ended: The source is at its end, and every frame has its outcome.
        rate: Frames per second that reached the sinks lately.
        first_ns: When the source delivered the first frame that reached the sinks; 0 before.
        recent_hops: `hops` over the last ten seconds.
    """

    run: RunReport
    policy: StreamPolicy
    admitted: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    hops: dict[str, Histogram] = field(default_factory=_hops)
    occupancy: Occupancy | None = None
    restarts: int = 0
    replacements: int = 0
    error: Exception | None = None
    ended: bool = False
    rate: RecentRate = field(default_factory=RecentRate)
    first_ns: int = 0
    recent_hops: RecentHops = field(init=False)

    def __post_init__(self) -> None:
        self.recent_hops = RecentHops(self.hops)

    @property
    def drops(self) -> Counter[tuple[str, str]]:
        """Dropped frames by stage and reason; the reason is "" where a stage dropped them."""
        return Counter(
            {
                (stage, reason): count
                for key, count in self.run.dropped.items()
                for stage, _, reason in [key.partition(": ")]
            }
        )

    @property
    def complete(self) -> bool:
        """Every frame of the source reached the sinks or was dropped by a stage on purpose."""
        overload = any(reason for _, reason in self.drops)
        is_good = not (self.failures or overload) and self.error is None
        return self.ended and self.run.complete and is_good

    def settle(self, record: FrameRecord) -> None:
        """Enter the one outcome of a frame."""
        if self.occupancy is not None:
            self.occupancy.note_outcome(self.admitted)
        run = self.run
        for name, elapsed_s in record.times:
            run.steps.add(name, elapsed_s)
        if record.failure is not None:
            self.failures[record.failure.stage] += 1
            if len(run.failed) == 2 * _MOST_FAILED:
                del run.failed[_MOST_FAILED]
            run.failed.append(record.failure)
        elif record.dropped is not None:
            stage, reason = record.dropped
            key = f"{stage}: {reason}" if reason else stage
            run.dropped[key] = run.dropped.get(key, 0) + 1
        else:
            run.frames += 1
            self._time(record)

    def give_up(self, frames: int) -> None:
        """Enter the frames that were under way when the graph was stopped."""
        if frames:
            self.run.dropped["graph: stopped"] = frames

    def _time(self, record: FrameRecord) -> None:
        at = record.moments
        self.first_ns = self.first_ns or at.captured_ns
        self.run.wall_s = (at.done_ns - self.first_ns) * 1e-9
        hops = self.hops
        hops["admit"].add((at.admitted_ns - at.captured_ns) * 1e-9)
        if at.started_ns:
            hops["wait"].add((at.started_ns - at.admitted_ns) * 1e-9)
            hops["process"].add((at.ended_ns - at.started_ns) * 1e-9)
            hops["return"].add((at.collected_ns - at.ended_ns) * 1e-9)
            hops["order"].add((at.ordered_ns - at.collected_ns) * 1e-9)
        else:
            hops["order"].add((at.ordered_ns - at.admitted_ns) * 1e-9)
        hops["finish"].add((at.done_ns - at.ordered_ns) * 1e-9)
        hops["age"].add((at.done_ns - at.captured_ns) * 1e-9)

    def as_dict(self, *, latest_failed: int | None = None) -> dict[str, Any]:
        """Convert to JSON values, with only so many of the failed frames if a number is given."""
        return {
            **self.run.as_dict(latest_failed=latest_failed),
            "complete": self.complete,
            "mode": self.policy.mode.value,
            "admitted": self.admitted,
            "rate": round(self.rate.per_second, 2),
            "failures": dict(self.failures),
            "drops": [
                {"stage": stage, "reason": reason, "frames": count}
                for (stage, reason), count in self.drops.items()
            ],
            "latency": {hop: times.as_dict() for hop, times in self.hops.items() if times.count},
            "recent_latency": self.recent_hops.as_dict(),
            "occupancy": None if self.occupancy is None else self.occupancy.as_dict(),
            "restarts": self.restarts,
            "replacements": self.replacements,
            "error": None if self.error is None else str(self.error),
            "ended": self.ended,
        }


@dataclass(slots=True, kw_only=True)
class GraphReport:
    """What a graph did; it grows while the graph runs.

    Attributes:
        streams: By name.
        unopened: Why streams that were added have not come to be, by name.
        handlers: Handlers that take work now.
        handler_restarts: Handlers that died, or were killed because they hung, and were replaced.
        failovers: Seconds from the death of a handler to the outcome of the work that it had.
        duplicates: Results that came a second time and were put aside.
        wall_s: Seconds since the graph began to take frames.
        stopped: The graph was stopped before its sources ended.
    """

    streams: dict[str, StreamReport] = field(default_factory=dict)
    unopened: dict[str, Exception] = field(default_factory=dict)
    handlers: int = 0
    handler_restarts: int = 0
    failovers: Histogram = field(default_factory=Histogram)
    duplicates: int = 0
    wall_s: float = 0.0
    stopped: bool = False

    @property
    def frames(self) -> int:
        """Frames of all streams that reached the sinks."""
        return sum(stream.run.frames for stream in self.streams.values())

    @property
    def longest_s(self) -> float:
        """Seconds that all of it took; a first frame may have come before the graph began."""
        return max([self.wall_s, *(stream.run.wall_s for stream in list(self.streams.values()))])

    @property
    def rate(self) -> float:
        """Frames per second of all streams that reached the sinks lately."""
        return math.fsum(stream.rate.per_second for stream in list(self.streams.values()))

    def note_rates(self, now_s: float) -> None:
        """Note how far the streams are by now, and how long their frames have taken so far."""
        for stream in self.streams.values():
            stream.rate.note(now_s, stream.run.frames)
            stream.recent_hops.note(now_s)

    @property
    def complete(self) -> bool:
        """Every frame of every source reached the sinks or was dropped by a stage on purpose."""
        return not (self.stopped or self.unopened) and all(
            stream.complete for stream in self.streams.values()
        )

    def as_dict(self, *, latest_failed: int | None = None) -> dict[str, Any]:
        """Convert to JSON values, with only so many of the failed frames if a number is given."""
        return {
            "streams": {
                name: stream.as_dict(latest_failed=latest_failed)
                for name, stream in self.streams.items()
            },
            "unopened": {name: str(error) for name, error in self.unopened.items()},
            "handlers": self.handlers,
            "handler_restarts": self.handler_restarts,
            "failover": self.failovers.as_dict() if self.failovers.count else None,
            "duplicates": self.duplicates,
            "wall_s": round(self.longest_s, 4),
            "frames": self.frames,
            "rate": round(self.rate, 2),
            "frames_per_second": round(self.frames / self.longest_s, 2) if self.longest_s else 0.0,
            "stopped": self.stopped,
            "complete": self.complete,
        }
