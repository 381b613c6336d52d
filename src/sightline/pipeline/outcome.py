"""Taking one frame through a row of stages to its one outcome: result, dropped or failed."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sightline.pipeline.report import FailedFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.frame import Frame
    from sightline.pipeline.stage import Stage

__all__ = ["Outcome", "StageRow"]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one frame.

    Attributes:
        frame: The frame as the last stage returned it; None if it was dropped or failed.
        dropped_by: Name of the stage that dropped it.
        failure: What went wrong.
        error: The exception behind `failure`.
        times: Seconds spent in each stage, by name.
    """

    frame: Frame | None
    dropped_by: str | None = None
    failure: FailedFrame | None = None
    error: Exception | None = None
    times: list[tuple[str, float]] = field(default_factory=list)


class StageRow:
    """Consecutive stages that a frame passes one after the other, safe for many threads.

    Every stage is guarded so that no more threads are inside it than it allows.
    """

    def __init__(self, stages: Sequence[tuple[str, Stage]]) -> None:
        self._guarded = [
            (name, stage, threading.BoundedSemaphore(stage.concurrency)) for name, stage in stages
        ]

    @property
    def concurrency(self) -> int:
        """How many threads can be put to use."""
        return max((stage.concurrency for _, stage, _ in self._guarded), default=1)

    def process(self, frame: Frame) -> Outcome:
        """Take a new frame through all stages."""
        return self.proceed(Outcome(frame=frame))

    def proceed(self, outcome: Outcome) -> Outcome:
        """Take the result of earlier stages on through these; other outcomes stay as they are."""
        for name, stage, guard in self._guarded:
            if outcome.frame is None:
                break
            with guard:
                started = time.perf_counter()
                _step(outcome, name, stage)
                outcome.times.append((name, time.perf_counter() - started))
        return outcome


def _step(outcome: Outcome, name: str, stage: Stage) -> None:
    frame = outcome.frame
    if frame is None:
        return
    try:
        outcome.frame = stage.process(frame)
    except Exception as error:  # noqa: BLE001 - a stage is foreign code: its errors are outcomes
        outcome.frame = None
        outcome.error = error
        outcome.failure = FailedFrame(
            seq=frame.seq,
            stage=name,
            error=f"{type(error).__name__}: {error}",
            traceback="".join(traceback.format_exception(error)),
        )
    else:
        if outcome.frame is None:
            outcome.dropped_by = name
