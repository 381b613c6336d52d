"""What a hub knows of a frame under way, and of the pieces of work that are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.graph.loans import Copied
    from sightline.pipeline.report import FailedFrame
    from sightline.transport.link import Buffer
    from sightline.transport.messages import FrameId, Objects, Pixels, Result, SlotRef
    from sightline.transport.slot_reader import Borrowed

__all__ = ["FrameRecord", "Moments", "WorkItem"]


@dataclass(slots=True)
class Moments:
    """When a frame was where, on the monotonic clock of this machine; 0: not yet.

    `busy_ns` is no moment: so long handlers were at work on it, waiting between steps left out.
    """

    captured_ns: int
    admitted_ns: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    collected_ns: int = 0
    ordered_ns: int = 0
    done_ns: int = 0
    busy_ns: int = 0


@dataclass(slots=True, eq=False)
class FrameRecord:
    """One frame from its admission to its one outcome.

    Attributes:
        about: Which frame.
        feeder: Identity of the feeder that owns its slots; b"" if it came from another machine.
        pixels: Where its image is now; None: it was dropped before.
        payload: The image, if it lies in no slot.
        output: The slot granted for a new image, until one is there.
        slots: What to release when the frame is done.
        objects: Its detections, packed.
        data: Its data, packed.
        step: The step of the plan that it is in.
        attempts: How many handlers died of it, whichever of its objects they had.
        frame: As the last ordered step left it.
        borrowed: The loan behind its image, while this process uses it.
        dropped: Stage and reason; None: it was not dropped.
        failure: What a stage raised.
        error: The exception itself, where it was raised in this process.
        times: Seconds in each stage, by name.
        moments: When it was where.
        parts: Results of its objects, by row, while they are at handlers.
        missing: How many of these are still to come.
        kept: A stage or sink holds on to pixels in its slots.
    """

    about: FrameId
    feeder: bytes
    pixels: Pixels | None
    moments: Moments
    payload: Buffer | None = None
    output: SlotRef | None = None
    slots: list[SlotRef] = field(default_factory=list)
    objects: Objects | None = None
    data: bytes = b""
    step: int = 0
    attempts: int = 0
    frame: Frame | None = None
    borrowed: Borrowed | Copied | None = None
    dropped: tuple[str, str] | None = None
    failure: FailedFrame | None = None
    error: BaseException | None = None
    times: list[tuple[str, float]] = field(default_factory=list)
    parts: dict[int, Result] = field(default_factory=dict)
    missing: int = 0
    kept: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the frame was dropped or failed: nothing more is done with it."""
        return self.dropped is not None or self.failure is not None


@dataclass(slots=True, eq=False)
class WorkItem:
    """A step of a frame, or of one object of it, as the dispatcher deals with it.

    Attributes:
        record: The frame.
        step: Which step of the plan.
        part: Row of the object; -1: the whole frame.
        urgent: The frame has been begun; it comes before new ones.
        key: Stream, epoch, seq, step and part.
    """

    record: FrameRecord
    step: int
    part: int
    urgent: bool
    key: tuple[str, int, int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        about = self.record.about
        self.key = (about.stream, about.epoch, about.seq, self.step, self.part)

    @property
    def attempts(self) -> int:
        """How many handlers died of its frame: objects share them, as any may be the reason."""
        return self.record.attempts

    @attempts.setter
    def attempts(self, attempts: int) -> None:
        self.record.attempts = attempts

    @property
    def frame_key(self) -> tuple[str, int, int]:
        """Stream, epoch and seq."""
        return self.record.about.key

    @property
    def stream(self) -> str:
        """Name of the stream."""
        return self.record.about.stream

    @property
    def captured_ns(self) -> int:
        """When the source delivered the frame."""
        return self.record.about.captured_ns
