"""Choosing between running in this process and handler processes, by measuring a few frames."""

from __future__ import annotations

import logging
import math
import pickle
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from sightline.errors import PipelineError
from sightline.media.opening import open_source
from sightline.media.source import Source
from sightline.pipeline.outcome import StageRow
from sightline.pipeline.stream_spec import StreamSpec
from sightline.processors import usable_cores
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sightline.frame import Frame
    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.stage import Stage
    from sightline.stream import StreamInfo

__all__ = ["Choice", "Cost", "choose", "choose_handlers"]

_log = logging.getLogger(__name__)

_WARM_UP = 2
_FRAMES = 12
_PATIENCE_S = 3.0
"""After this long no further frame is measured."""
_RESERVE = 1.2
_ENOUGH_LEFT = 0.7
_TINY_S = 0.001
_USUAL_RATE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a pipeline is to be run.

    Attributes:
        handlers: Number of handler processes; None: everything in this process.
        reason: Why, in one sentence with the figures.
    """

    handlers: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the leading stateless stages cost.

    Attributes:
        frame_s: Seconds for one frame.
        busy: Share of that in which processors were busy, above 1 with several threads.
        concurrency: How many threads of this process the stages can put to use.
    """

    frame_s: float
    busy: float
    concurrency: int


def choose_handlers(
    pipeline: Pipeline,
    sources: Sequence[StreamSpec | str | int | Path | Source],
    *,
    needs_graph: bool = False,
) -> Choice:
    """Measure what the stateless stages cost, and choose where they are to run.

    Opens the first source for up to 12 frames and then closes it again.

    Args:
        pipeline: The stages; stays open if it is, and closed if not.
        sources: All streams of the run.
        needs_graph: Something is asked for that only a graph has.

    Raises:
        PipelineError: There is no source.
        MediaError: The first source cannot be opened.
        ModelError: A stage cannot load its model.
    """
    specs = [source if isinstance(source, StreamSpec) else StreamSpec(source) for source in sources]
    if not specs:
        raise PipelineError("to choose the number of handlers, a source is needed, but got none")
    leading = list(
        takewhile(lambda named: named[1].scope is Scope.STATELESS, pipeline.named_stages)
    )
    needs_graph = needs_graph or len(specs) > 1 or not specs[0].is_plain
    info, cost = _measure(pipeline, leading, specs[0])
    rates = [_rate(spec, info) for spec in specs]
    choice = choose(cost, rates, cores=usable_cores(), needs_graph=needs_graph)
    _log.info("handlers chosen handlers=%s reason=%s", choice.handlers, choice.reason)
    return choice


def choose(
    cost: Cost | None, rates: Sequence[float | None], *, cores: int, needs_graph: bool
) -> Choice:
    """Choose by what was measured.

    Args:
        cost: Of the leading stateless stages; None: there are none.
        rates: Frames per second that each stream needs; None: as many as can be had.
        cores: Processors that may be used.
        needs_graph: Running in one process is out of the question.

    >>> cost = Cost(frame_s=0.020, busy=1.0, concurrency=1)
    >>> choose(cost, [30.0], cores=4, needs_graph=False).handlers is None
    True
    >>> choose(cost, [30.0] * 4, cores=4, needs_graph=True).handlers
    3
    """
    if cost is None:
        handlers = 1 if needs_graph else None
        return Choice(handlers=handlers, reason="no stage that comes first can be shared out")
    takes = f"the stages that can be shared out take {1000 * cost.frame_s:.1f} ms per frame"
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return _choose_for_speed(cost, takes, cores=cores, needs_graph=needs_graph)
    load = cost.frame_s * math.fsum(known)
    needed = f"{takes} and {math.fsum(known):.4g} frames/s are needed: {load:.2f} processes' work"
    if load < _ENOUGH_LEFT and not needs_graph:
        return Choice(handlers=None, reason=f"{needed}, which this one keeps up with")
    handlers = max(1, math.ceil(load * _RESERVE - 1e-9))
    most = max(1, int(cores / cost.busy)) if cost.busy > 0.1 else handlers
    if handlers > most:
        return Choice(
            handlers=most, reason=f"{needed}, more than the {most} that {cores} processors bear"
        )
    return Choice(handlers=handlers, reason=f"{needed}, and a fifth in reserve")


def _choose_for_speed(cost: Cost, takes: str, *, cores: int, needs_graph: bool) -> Choice:
    """Choose for a recording that is read as fast as frames are taken."""
    if cost.frame_s < _TINY_S:
        handlers = 1 if needs_graph else None
        return Choice(handlers=handlers, reason=f"{takes}, less than it costs to hand them over")
    if cost.concurrency >= cores and not needs_graph:
        return Choice(
            handlers=None, reason=f"{takes} and use all {cores} processors from one process"
        )
    return Choice(handlers=cores, reason=f"{takes}: one handler for each of {cores} processors")


def _measure(
    pipeline: Pipeline, leading: Sequence[tuple[str, Stage]], spec: StreamSpec
) -> tuple[StreamInfo, Cost | None]:
    """Take a few frames of a source through stages."""
    source = spec.source
    if isinstance(source, Source):
        source = _another(source)
    with closing(open_source(source)) as opened, ExitStack() as stack:
        if not leading:
            return opened.info, None
        if not pipeline.is_open:
            leading = _copies(leading)
            for _, stage in leading:
                stack.enter_context(stage)
        row = StageRow(leading)
        samples = [_time_one(row, frame) for frame in _first_frames(opened)]
        counted = samples[_WARM_UP:] or samples
        wall_s = math.fsum(wall for wall, _ in counted)
        busy_s = math.fsum(busy for _, busy in counted)
        return opened.info, Cost(
            frame_s=wall_s / max(1, len(counted)),
            busy=busy_s / wall_s if wall_s > 0 else 1.0,
            concurrency=row.concurrency,
        )


def _copies(leading: Sequence[tuple[str, Stage]]) -> Sequence[tuple[str, Stage]]:
    """Copy stages as for a handler: what `open()` made of them might not be sent to one later.

    Stages that cannot be sent to another process are measured themselves; they may run in this one.
    """
    try:
        copies: Sequence[tuple[str, Stage]] = pickle.loads(pickle.dumps(leading))  # noqa: S301
    except Exception:  # noqa: BLE001 - foreign code
        return leading
    return copies


def _first_frames(source: Source) -> Iterator[Frame]:
    until_s = time.monotonic() + _PATIENCE_S
    for frame in islice(source.frames(), _FRAMES):
        yield frame
        if time.monotonic() > until_s:
            return


def _time_one(row: StageRow, frame: Frame) -> tuple[float, float]:
    """Return the seconds that a frame takes, by the clock and of processors."""
    started_s, busy_s = time.perf_counter(), time.process_time()
    row.process(frame)
    return time.perf_counter() - started_s, time.process_time() - busy_s


def _another(source: Source) -> Source:
    """Make a second object of a source, as the process that reads it gets one."""
    try:
        copied: Source = pickle.loads(pickle.dumps(source))  # noqa: S301 - what was just written
    except Exception as error:
        raise PipelineError(
            f"{type(source).__name__} cannot be sent to another process: {error}; say without "
            "handlers, or define its class in a module and open in frames() what cannot be pickled"
        ) from error
    return copied


def _rate(spec: StreamSpec, info: StreamInfo) -> float | None:
    """Tell how many frames per second a stream needs; `info` is that of the first one."""
    own = float(info.frame_rate) if info.frame_rate else _USUAL_RATE
    if isinstance(spec.rate, int | float):
        return float(spec.rate)
    return own if spec.rate == "native" or info.live else None
