"""Taking one frame through a row of stages to its one outcome: result, dropped or failed."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sightline.errors import PipelineError
from sightline.pipeline.promises import check_result
from sightline.pipeline.raised import in_words
from sightline.pipeline.report import FailedFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.frame import Frame
    from sightline.pipeline.stage import Stage

__all__ = ["Outcome", "StageRow"]

_log = logging.getLogger(__name__)


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
    error: BaseException | None = None
    times: list[tuple[str, float]] = field(default_factory=list)


class StageRow:
    """Consecutive stages that a frame passes one after the other, safe for many threads.

    Every stage is guarded so that no more threads are inside it than it allows.

    Args:
        stages: With their names; open, since some know only then how many threads they allow.

    Raises:
        PipelineError: A stage allows no thread at all.
    """

    def __init__(self, stages: Sequence[tuple[str, Stage]]) -> None:
        for name, stage in stages:
            if not isinstance(stage.concurrency, int) or stage.concurrency < 1:
                raise PipelineError(
                    f"stage {name!r}: concurrency must be a number of threads, 1 or more, but is "
                    f"{stage.concurrency}"
                )
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
        """Take the result of earlier stages on through these; other outcomes stay as they are.

        What a stage raises is the failure of the frame. What is no error, such as `sys.exit()` or
        Ctrl-C, is that, too, and is raised besides: the caller knows whose thread this is.
        """
        for name, stage, guard in self._guarded:
            if outcome.frame is None:
                break
            with guard:
                _step(outcome, name, stage)
        return outcome

    def process_many(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Take results of earlier stages on through these, in batches where stages take them.

        The time of a batch counts in equal parts for its frames.
        """
        for name, stage, guard in self._guarded:
            left = [outcome for outcome in outcomes if outcome.frame is not None]
            for start in range(0, len(left), stage.batch_size):
                batch = left[start : start + stage.batch_size]
                with guard:
                    if not _step_together(batch, name, stage):
                        for outcome in batch:
                            _step(outcome, name, stage)
        return outcomes


def _step(outcome: Outcome, name: str, stage: Stage) -> None:
    """Take one frame through one stage; see `StageRow.proceed` for what it raises."""
    frame = outcome.frame
    if frame is None:
        return
    started = time.perf_counter()
    try:
        result = stage.process(frame)
        check_result(stage, frame, result)
    except Exception as error:  # noqa: BLE001 - a stage is foreign code: its errors are outcomes
        _fail(outcome, frame, name, error)
    except BaseException as raised:
        _fail(outcome, frame, name, raised)
        raise
    else:
        _settle(outcome, result, name)
    outcome.times.append((name, time.perf_counter() - started))


def _fail(outcome: Outcome, frame: Frame, name: str, raised: BaseException) -> None:
    outcome.frame = None
    outcome.error = raised
    outcome.failure = FailedFrame(
        seq=frame.seq,
        stage=name,
        error=in_words(raised),
        traceback="".join(traceback.format_exception(raised)),
    )


def _step_together(batch: Sequence[Outcome], name: str, stage: Stage) -> bool:
    """Take a batch through one stage; False if it is to be repeated frame by frame."""
    if len(batch) == 1:
        return False
    started = time.perf_counter()
    frames = [outcome.frame for outcome in batch if outcome.frame is not None]
    try:
        results = list(stage.process_batch(frames))
        for frame, result in zip(frames, results, strict=True):
            check_result(stage, frame, result)
    except Exception:  # noqa: BLE001 - foreign code; what is wrong shows when it is repeated
        _log.warning("batch failed stage=%s frames=%d", name, len(frames), exc_info=True)
        return False
    share_s = (time.perf_counter() - started) / len(batch)
    for outcome, result in zip(batch, results, strict=True):
        _settle(outcome, result, name)
        outcome.times.append((name, share_s))
    return True


def _settle(outcome: Outcome, result: Frame | None, name: str) -> None:
    outcome.frame = result
    if result is None:
        outcome.dropped_by = name
