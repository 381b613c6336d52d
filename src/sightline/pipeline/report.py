"""The account of one run: what became of every frame, where the time went, what was lost."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.errors import StageError
from sightline.stream import Losses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.frame import Frame
    from sightline.pipeline.outcome import Outcome
    from sightline.stream import StreamInfo

__all__ = ["FailedFrame", "RunReport", "StepTime", "StepTimes", "as_unicode"]

_MOST_TEXT = 2_000
_MOST_TRACEBACK = 20_000


def as_unicode(text: str, *, most: int = _MOST_TEXT) -> str:
    r"""Make the text of an error fit to be told other processes, and to be written into a report.

    What is no Unicode is escaped, such as in a file name that is not UTF-8. A text of more than
    `most` characters loses its middle: stages may put whole arrays into their messages.

    >>> as_unicode("no é\udce9.mp4")
    'no é\\udce9.mp4'
    >>> as_unicode("0123456789" * 100, most=60)
    '012345678901 … (cut; 1,000 characters in all) … 890123456789'
    """
    whole = text.encode(errors="backslashreplace").decode()
    if len(whole) <= most:
        return whole
    cut = f" … (cut; {len(whole):,} characters in all) … "
    tail = (most - len(cut)) // 2
    return f"{whole[: most - len(cut) - tail]}{cut}{whole[-tail:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFrame:
    """A frame on which a stage raised; texts that are no Unicode are escaped, long ones cut.

    Attributes:
        seq: Number of the frame in its stream.
        stage: Name of the stage that raised.
        error: The exception's type and message, in one line; at most 2,000 characters.
        traceback: The formatted traceback; at most 20,000 characters.
    """

    seq: int
    stage: str
    error: str
    traceback: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", as_unicode(self.error))
        object.__setattr__(self, "traceback", as_unicode(self.traceback, most=_MOST_TRACEBACK))


@dataclass(slots=True)
class StepTime:
    """Time spent inside one step, in seconds, waiting for resources included."""

    calls: int = 0
    total_s: float = 0.0

    def add(self, elapsed_s: float, *, calls: int = 1) -> None:
        """Count one call, or several that took this long together."""
        self.calls += calls
        self.total_s += elapsed_s


class StepTimes:
    """Stop-watches by step name. Each step is timed by one thread at a time, or under a lock."""

    def __init__(self) -> None:
        self._steps: dict[str, StepTime] = {}

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Time a block as one call of a step; a block that raises counts, too."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(step, time.perf_counter() - started)

    def add(self, step: str, elapsed_s: float, *, calls: int = 1) -> None:
        """Count one call of a step that took this many seconds, or several together."""
        self._steps.setdefault(step, StepTime()).add(elapsed_s, calls=calls)

    def totals(self) -> dict[str, tuple[int, float]]:
        """Give calls and seconds by step, in order of first use."""
        return {name: (step.calls, step.total_s) for name, step in self._steps.items()}

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Report calls, total seconds and mean milliseconds by step, in order of first use."""
        return {
            name: {
                "calls": step.calls,
                "total_s": round(step.total_s, 4),
                "mean_ms": round(1000 * step.total_s / step.calls, 4),
            }
            for name, step in self._steps.items()
        }


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What a run did; it grows while the run goes on.

    Attributes:
        stream: The stream that was processed.
        stages: What each stage says of itself (`Stage.describe`).
        frames: Frames that went through all stages to the sinks.
        dropped: Frames that a stage dropped on purpose, by stage.
        failed: Frames on which a stage raised.
        losses: What the source could not deliver.
        wall_s: Seconds from the first request for a frame to the end.
        steps: Time by step: `read`, each stage, `sink:` and each sink.
        stopped: The run was ended from outside before the source was.
    """

    stream: StreamInfo
    stages: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: list[FailedFrame] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    wall_s: float = 0.0
    steps: StepTimes = field(default_factory=StepTimes)
    stopped: bool = False

    @property
    def frames_per_second(self) -> float:
        """Frames that reached the sinks per second of the run."""
        return self.frames / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def complete(self) -> bool:
        """Every frame of the source reached the sinks or was dropped on purpose."""
        return not (self.stopped or self.failed or self.losses)

    def settle(self, outcome: Outcome, *, max_failures: int) -> Frame | None:
        """Enter what became of a frame; return it if it goes to the sinks.

        Args:
            outcome: Of the next frame.
            max_failures: Frames that may fail.

        Raises:
            StageError: One more has failed.
        """
        for name, elapsed_s in outcome.times:
            self.steps.add(name, elapsed_s)
        if outcome.frame is not None:
            self.frames += 1
        elif outcome.dropped_by is not None:
            self.dropped[outcome.dropped_by] = self.dropped.get(outcome.dropped_by, 0) + 1
        elif (failure := outcome.failure) is not None:
            self.failed.append(failure)
            if len(self.failed) > max_failures:
                raise StageError(
                    f"stage {failure.stage!r} failed on frame {failure.seq}: {failure.error}",
                    stage=failure.stage,
                    seq=failure.seq,
                ) from outcome.error
        return outcome.frame

    def as_dict(self, *, latest_failed: int | None = None) -> dict[str, Any]:
        """Convert to JSON values, with only so many of the failed frames if a number is given."""
        stream = self.stream
        failed = self.failed if latest_failed is None else self.failed[-latest_failed:]
        return {
            "stream": stream.name,
            "width": stream.width,
            "height": stream.height,
            "frame_rate": float(stream.frame_rate) if stream.frame_rate else None,
            "frames": self.frames,
            "duration_s": stream.duration_s,
            "wall_s": round(self.wall_s, 4),
            "frames_per_second": round(self.frames_per_second, 2),
            "complete": self.complete,
            "stopped": self.stopped,
            "dropped": dict(self.dropped),
            "failed": [asdict(failure) for failure in failed],
            "losses": asdict(self.losses),
            "steps": self.steps.as_dict(),
            "stages": self.stages,
        }
