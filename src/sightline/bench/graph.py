"""How a graph scales, what its guarantees cost, and how soon frames are there, come what may.

All figures are measured at the sink, from the first frame to the last, so that starting processes
counts nowhere.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sightline.bench.chunk_stages import Waits
from sightline.bench.disturbances import (
    NEIGHBOURS,
    Blank,
    age_beside,
    age_with_objects,
    failover_p95_s,
)
from sightline.bench.hop.graph import sightline_graph
from sightline.bench.hop.load import HopLoad
from sightline.bench.interleave import Comparison, interleave
from sightline.bench.record import describe_machine
from sightline.errors import GraphError
from sightline.graph import traffic
from sightline.graph.running import GraphRun
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stream_spec import StreamSpec

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextlib import AbstractContextManager

    from sightline.frame import Frame
    from sightline.graph.record import WorkItem
    from sightline.stream import StreamInfo

__all__ = ["GraphBenchmark", "GraphResults"]

_COMPUTE_S = 0.020
_WAIT_S = 0.050
_WAITING_HANDLERS = 32
_DEADLINE_S = 120.0
_STALENESS_S = 0.5
_OLDEST_GOAL = f"≤ {_STALENESS_S + _COMPUTE_S:.2f} (budget and one frame's processing)"
_HOP = HopLoad(width=640, height=480, frames=2000)

ONE, TWO, FIVE = "1 handler", "2 handlers", "5 handlers"
WITH, WITHOUT = "with order and delivery guarantee", "without"


class Compute(Stage):
    """Computes for 20 ms of processor time, holding the GIL."""

    changes_image = False

    def process(self, frame: Frame) -> Frame:
        """Compute."""
        until = time.thread_time() + _COMPUTE_S
        while time.thread_time() < until:
            pass
        return frame


class Clock:
    """A sink that notes when frames come; the first ones, while handlers warm up, do not count.

    Args:
        skip: How many do not count.
    """

    def __init__(self, skip: int) -> None:
        self._skip = skip
        self._times_s: list[float] = []

    def open(self, stream: StreamInfo) -> None:
        """Do nothing."""

    def write(self, frame: Frame) -> None:  # noqa: ARG002
        """Note the time."""
        self._times_s.append(time.perf_counter())

    def close(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""

    @property
    def frames_per_second(self) -> float:
        """Rate between the first frame that counts and the last."""
        times = self._times_s[self._skip :]
        return (len(times) - 1) / (times[-1] - times[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphResults:
    """What was measured.

    Attributes:
        compute: Frames/s of a stage that computes for 20 ms, by number of handlers.
        wait: Frames/s of a stage that waits for 50 ms, with 32 handlers.
        guarantees: Frames/s of a hop at 640x480, with guarantees and without.
        overload: Greatest age in seconds of a frame at the sink, at twice the rate that one
            handler keeps up with, in mode `auto` with a budget of 0.5 s.
        objects: Median age in seconds of frames with five objects, at 10 ms each, by handlers.
        failover: From the death of a handler to the result of a frame it had, p95 in seconds.
        neighbours: Median age in seconds of frames of a stream, by what is read beside it.
    """

    compute: Comparison
    wait: Comparison
    guarantees: Comparison
    overload: Comparison
    objects: Comparison
    failover: Comparison
    neighbours: Comparison

    def table(self) -> str:
        """Print the figures beside the goals."""
        waiting = f"{_WAITING_HANDLERS} handlers"
        ideal = _WAITING_HANDLERS / _WAIT_S
        share = self.wait.figure(waiting).median / ideal
        oldest_s = max(self.overload.rounds["age"])
        rows = [
            (f"20 ms of computing, {ONE}, frames/s", self.compute.figure(ONE), ""),
            (f"20 ms of computing, {TWO}, frames/s", self.compute.figure(TWO), ""),
            (f"{TWO} ÷ {ONE}", self.compute.ratio(TWO, ONE), "≥ 1.9"),
            (f"50 ms of waiting, {waiting}, frames/s", self.wait.figure(waiting), ""),
            (f"share of {ideal:.0f} frames/s", f"{share:.3f}", "≥ 0.95"),
            (f"hop {WITH} ÷ {WITHOUT}", self.guarantees.ratio(WITH, WITHOUT), "≥ 0.9"),
            ("twice the load, mode auto: oldest frame, s", f"{oldest_s:.3f}", _OLDEST_GOAL),
            (f"5 objects of 10 ms, {ONE}, age p50, s", self.objects.figure(ONE), ""),
            (f"5 objects of 10 ms, {FIVE}, age p50, s", self.objects.figure(FIVE), "near 0.01"),
            ("a handler is killed: fail-over p95, s", self.failover.figure("p95"), "≤ 0.5"),
            *self._neighbours(),
        ]
        return "\n".join(f"{name:<60} {value!s:<24} {goal}" for name, value, goal in rows)

    def _neighbours(self) -> list[tuple[str, object, str]]:
        alone, *others = NEIGHBOURS
        ages = self.neighbours
        return [
            ("a stream of 50 frames/s, alone, age p50, s", ages.figure(alone), ""),
            *((f"beside {name} ÷ alone", ages.ratio(name, alone), "≤ 1.1") for name in others),
        ]

    def report(self) -> dict[str, Any]:
        """State the machine and all figures as JSON values."""
        return {
            "machine": describe_machine(),
            "compute": self.compute.rounds,
            "wait": self.wait.rounds,
            "guarantees": self.guarantees.rounds,
            "overload": self.overload.rounds,
            "objects": self.objects.rounds,
            "failover": self.failover.rounds,
            "neighbours": self.neighbours.rounds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphBenchmark:
    """What to measure.

    Attributes:
        rounds: How many rounds count.
    """

    rounds: int = 5

    def run(self) -> GraphResults:
        """Measure all.

        Raises:
            GraphError: A graph failed.
        """
        waiting = f"{_WAITING_HANDLERS} handlers"
        return GraphResults(
            compute=self._compare(
                {ONE: partial(_rate, Compute(), 1, 100), TWO: partial(_rate, Compute(), 2, 200)}
            ),
            wait=self._compare({waiting: partial(_rate, Waits(_WAIT_S), _WAITING_HANDLERS, 3200)}),
            guarantees=self._compare({WITH: _hop, WITHOUT: _unguarded_hop}),
            overload=self._compare({"age": _oldest_under_overload}),
            objects=self._compare(
                {ONE: partial(age_with_objects, 1), FIVE: partial(age_with_objects, 5)}
            ),
            failover=self._compare({"p95": partial(failover_p95_s, Compute(), 600)}),
            neighbours=self._compare(
                {name: partial(age_beside, spec) for name, spec in NEIGHBOURS.items()}
            ),
        )

    def _compare(self, sides: Any) -> Comparison:
        return interleave(sides, rounds=self.rounds, warm_up=0)


def _rate(stage: Stage, handlers: int, frames: int) -> float:
    """Measure frames/s of one stage."""
    clock = Clock(skip=2 * handlers)
    _complete(Pipeline([stage]), Blank(frames), clock, handlers=handlers)
    return clock.frames_per_second


def _hop() -> float:
    return sightline_graph(_HOP).frames_per_second


def _unguarded_hop() -> float:
    with _without_guarantees():
        return _hop()


def _oldest_under_overload() -> float:
    """Measure the greatest age at the sink: 100 frames/s for a handler that does 50."""
    spec = StreamSpec(Blank(600), rate=2 / _COMPUTE_S, mode="auto", staleness_s=_STALENESS_S)
    run = _complete(Pipeline([Compute()]), spec, Clock(skip=0), handlers=1)
    (stream,) = run.report.streams.values()
    return float(stream.hops["age"].as_dict()["max_ms"] or 0.0) / 1000


def _complete(pipeline: Pipeline, source: Any, sink: Clock, *, handlers: int) -> GraphRun:
    with GraphRun(pipeline, [source], [sink], options=GraphOptions(handlers=handlers)) as run:
        if not run.wait(_DEADLINE_S):
            raise GraphError(f"the graph took more than {_DEADLINE_S:g} s")
    return run


class _AnyOrder:
    """In place of a `Resequencer`: passes outcomes on as they come."""

    def begin(self, stream: str, *, epoch: int, first_seq: int) -> None:
        """Do nothing."""

    def forget(self, stream: str) -> None:
        """Do nothing."""

    def accept(self, stream: str, epoch: int, seq: int, outcome: Any) -> list[Any]:  # noqa: ARG002
        """Pass it on."""
        return [outcome]


class _FireAndForget:
    """In place of a `Dispatcher`: keeps no account of attempts, turns or overload.

    What handlers hold is kept, because results carry only a key.
    """

    def __init__(self, *, max_attempts: int) -> None:  # noqa: ARG002
        self._queue: deque[WorkItem] = deque()
        self._credit: deque[bytes] = deque()
        self._held: dict[Hashable, WorkItem] = {}

    def add_stream(self, stream: str, policy: object) -> None:
        """Do nothing."""

    def remove_stream(self, stream: str) -> None:
        """Do nothing."""

    def queued(self, stream: str) -> int:
        """Count the works that wait, whose stream does not matter: there is one."""
        del stream
        return len(self._queue)

    def submit(self, work: WorkItem) -> list[Any]:
        """Queue it."""
        self._queue.append(work)
        return []

    def join(self, handler: bytes, *, capacity: int, batch: int) -> None:  # noqa: ARG002
        """Give it as much credit as a quick handler has."""
        self._credit.extend([handler] * (2 * capacity))

    def finish(self, handler: bytes, key: Hashable, *, busy_s: float | None = None) -> WorkItem:  # noqa: ARG002
        """Give the credit back."""
        self._credit.append(handler)
        return self._held.pop(key)

    def assign(self, now_ns: int) -> tuple[list[tuple[bytes, WorkItem]], list[Any]]:  # noqa: ARG002
        """Give out what there is credit for."""
        given = []
        while self._queue and self._credit:
            work = self._queue.popleft()
            self._held[work.key] = work
            given.append((self._credit.popleft(), work))
        return given, []


def _without_guarantees() -> AbstractContextManager[Any]:
    """Have graphs of this process made without order, attempts and fail-over, to see their cost."""
    return patch.multiple(traffic, Resequencer=_AnyOrder, Dispatcher=_FireAndForget)
