"""What a handler does with a piece of work: message to frame, stages, frame to message.

It knows slots, but no sockets.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from traceback import clear_frames
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sightline.errors import GraphError, ProtocolError, SightlineError, StaleSlotError
from sightline.graph.changes import took_change
from sightline.graph.loans import Loans, OutputSlot
from sightline.graph.objects import ObjectStage
from sightline.graph.plan import StepKind, batch_size, handler_stages, makes_images
from sightline.pipeline.outcome import Outcome, StageRow
from sightline.pipeline.per_object import PerObject, cut
from sightline.pipeline.raised import in_words
from sightline.pipeline.report import FailedFrame
from sightline.transport.frames import frame_of, pack_data, pack_objects
from sightline.transport.messages import Failure, Pixels, Result, Work
from sightline.transport.slot_reader import SlotReader, locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from sightline.frame import Frame, Image
    from sightline.graph.loans import Copied
    from sightline.graph.plan import Step
    from sightline.pipeline.stage import Stage
    from sightline.transport.link import Buffer
    from sightline.transport.messages import SlotRef
    from sightline.transport.slot_reader import Borrowed

__all__ = ["Finished", "Workbench", "failure_of", "place", "told_failure"]


@dataclass(slots=True, kw_only=True)
class Finished:
    """A result, ready to be sent.

    Attributes:
        result: The message.
        payload: Pixels that lie in no slot; they follow as a part of their own.
    """

    result: Result
    payload: Buffer | None = None


@dataclass(slots=True, kw_only=True)
class _Piece:
    """Work on the bench: the frame made of it, and what was borrowed for it."""

    work: Work
    given: Frame
    borrowed: Borrowed | Copied | None
    output: OutputSlot


class Workbench:
    """The opened stages of the steps that handlers do; a context manager.

    Args:
        steps: All steps of the plan; of the `ORDERED` ones nothing is used.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._stages = handler_stages(steps)
        self._rows: dict[int, StageRow] = {}
        self._reader = SlotReader()
        self._loans = Loans(self._reader)
        self._stack = ExitStack()

    @property
    def changes_image(self) -> bool:
        """Whether a stage may make a new image, for which a slot should be granted."""
        return makes_images(self._steps)

    @property
    def batch_size(self) -> int:
        """How many frames are worth taking at once."""
        return batch_size(self._steps)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._reader.close)
            for name, stage in self._stages.items():
                stack.enter_context(_opened(name, stage))
            for number, step in enumerate(self._steps):
                if step.kind is not StepKind.ORDERED:
                    self._rows[number] = StageRow(_stages_of(step))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def change(self, stage: str, parameters: dict[str, object]) -> bool:
        """Change parameters of a stage, if it is one of these; False: it refuses the values."""
        return stage not in self._stages or took_change(self._stages[stage], stage, parameters)

    def process(self, works: Sequence[tuple[Work, Buffer | None]]) -> list[Finished]:
        """Take pieces of work of one step through its stages.

        Work whose pixels are gone has been done by somebody else: nobody waits for its result,
        and there is none.
        """
        started_ns = time.monotonic_ns()
        pieces = []
        for work, payload in works:
            try:
                pieces.append(self._lay_out(work, payload))
            except StaleSlotError:
                continue
        if not pieces:
            return []
        row = self._rows[pieces[0].work.step]
        outcomes = row.process_many([Outcome(frame=piece.given) for piece in pieces])
        finished = [
            self._pack(piece, outcome, started_ns)
            for piece, outcome in zip(pieces, outcomes, strict=True)
            if piece.borrowed is None or piece.borrowed.is_current()
        ]
        if self._keeps(pieces, outcomes):
            for done in finished:
                done.result = msgspec.structs.replace(done.result, kept=True)
        return finished

    def _lay_out(self, work: Work, payload: Buffer | None) -> _Piece:
        """Make the frame of a piece of work.

        Raises:
            StaleSlotError: Its pixels are gone.
        """
        borrowed = None
        if work.pixels.slot is not None:
            borrowed = self._loans.lend(work.pixels)
            image = borrowed.image
        elif payload is not None:
            image = np.frombuffer(payload, np.uint8).reshape(work.pixels.shape)
        else:
            raise GraphError("work came without its pixels")
        output = OutputSlot(self._loans, work.output)
        frame = frame_of(work.frame, image, objects=work.objects, data=work.data, buffers=output)
        if work.part >= 0:
            frame = cut(frame, work.part)
        return _Piece(work=work, given=frame, borrowed=borrowed, output=output)

    def _keeps(self, pieces: list[_Piece], outcomes: list[Outcome]) -> bool:
        """Let go of frames that are done; tell whether a stage holds on to pixels in a slot."""
        loans = [loan for piece in pieces for loan in (piece.borrowed, piece.output) if loan]
        while outcomes:  # no variable may hold on to the last one
            if (error := outcomes.pop().error) is not None:
                clear_frames(error.__traceback__)
        pieces.clear()
        return self._loans.settle(loans)

    def _pack(self, piece: _Piece, outcome: Outcome, started_ns: int) -> Finished:
        work, frame = piece.work, outcome.frame
        pixels: Pixels | None = None
        payload: Buffer | None = None
        objects = data = None
        if frame is not None:
            try:
                # A stage may have changed what it got in place: where something came, it is sent.
                if frame.data is not piece.given.data or (work.data and work.part < 0):
                    data = pack_data(frame.data)
                if work.part < 0 and frame.detections is not piece.given.detections:
                    objects = pack_objects(frame.detections)
            except ProtocolError as error:
                outcome.failure = failure_of(frame.seq, "graph", error)
                frame = None
        if frame is not None and work.part < 0 and frame.image is not piece.given.image:
            pixels, payload = place(
                frame.image, self._reader, given=work.pixels.slot, output=work.output
            )
        failure = outcome.failure
        return Finished(
            result=Result(
                frame=work.frame,
                step=work.step,
                part=work.part,
                pixels=pixels,
                objects=objects,
                data=data,
                dropped_by=outcome.dropped_by or "",
                failure=None if failure is None else told_failure(failure),
                started_ns=started_ns,
                ended_ns=time.monotonic_ns(),
                times=outcome.times,
            ),
            payload=payload,
        )


@contextmanager
def _opened(name: str, stage: Stage) -> Iterator[None]:
    """Open a stage for a while."""
    with _told_whose(name, "opened"):
        stage.open()
    try:
        yield
    finally:
        with _told_whose(name, "closed"):
            stage.close()


@contextmanager
def _told_whose(name: str, what: str) -> Iterator[None]:
    """Have errors of a stage say whose they are.

    Raises:
        GraphError: There was one.
    """
    try:
        yield
    except SightlineError:
        raise
    except Exception as error:
        raise GraphError(f"stage {name!r} cannot be {what}: {in_words(error)}") from error


def place(
    image: Image, reader: SlotReader, *, given: SlotRef | None, output: SlotRef | None
) -> tuple[Pixels, Buffer | None]:
    """Say where a new image is; copy it into the slot granted for it if it lies elsewhere.

    An image that lies in the slot of another frame lies elsewhere: that slot has its own end.

    Args:
        image: The new image.
        reader: Knows the slots.
        given: The slot that the frame came in.
        output: The slot that was granted.

    Returns:
        Its place, and the pixels themselves if no slot holds them.
    """
    found = locate(image, reader)
    if found is not None and found.slot in (given, output):
        return found, None
    if output is not None and image.nbytes <= output.capacity:
        reader.writable(output, image.shape)[...] = image
        return Pixels(shape=image.shape, slot=output), None
    return Pixels(shape=image.shape), np.ascontiguousarray(image).data


def failure_of(seq: int, stage: str, error: BaseException) -> FailedFrame:
    """Describe a failure that is no stage's fault."""
    return FailedFrame(seq=seq, stage=stage, error=in_words(error), traceback="")


def told_failure(failed: FailedFrame) -> Failure:
    """Write what went wrong on a frame."""
    return Failure(failed.stage, failed.error, failed.traceback)


def _stages_of(step: Step) -> Sequence[tuple[str, Stage]]:
    """List the stages that a piece of work passes; those of an `OBJECTS` step get crops."""
    if step.kind is not StepKind.OBJECTS:
        return step.stages
    return [
        (name, ObjectStage(stage)) for name, stage in step.stages if isinstance(stage, PerObject)
    ]
