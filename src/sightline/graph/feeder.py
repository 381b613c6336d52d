"""A feeder: reads one source and admits its frames to the hub, pixels through slots that it owns.

It runs in a process of its own, so that a source can stall, crash or be killed alone. It knows
nothing of handlers, order or sinks.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sightline.errors import GraphError
from sightline.graph.modes import Mode
from sightline.graph.pace import Pace
from sightline.graph.telling import told_of
from sightline.media.opening import open_source
from sightline.media.source import frames_of
from sightline.stream import Losses
from sightline.transport.frame_slots import FrameSlots
from sightline.transport.frames import facts_of, pack_losses
from sightline.transport.host import die_with_parent, host_id
from sightline.transport.local_link import connect_local
from sightline.transport.messages import (
    Admit,
    Announce,
    Ended,
    FrameId,
    Hello,
    NodeError,
    Pixels,
    Release,
    SlotRef,
    Stop,
    Welcome,
    decode,
    encode,
)

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.media.source import Source
    from sightline.transport.link import Link
    from sightline.transport.messages import Message

__all__ = ["Feeder", "FeederOptions", "frames_held", "run_feeder"]

_WAIT_S = 1.0
_LEAST_S = 0.001
"""A source whose frames are dropped is read no faster, if it does not wait for anything itself: it
would take a processor from those that do the work. No camera is as fast."""
_MOST_SPARE = 4
_SPARE_BYTES = 4 * 2**20
"""Small frames have a few slots more, so that processes need not wait for each other at every one;
with large ones that would cost more than it gains, because they would not stay in the caches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederOptions:
    """What a feeder must know.

    Attributes:
        address: Where the hub listens.
        identity: What the hub calls this feeder.
        source: Whatever `open_source` takes.
        stream: Name of the stream; "" for the name that the source gives itself.
        epoch: Which incarnation of the stream this is.
        first_seq: Number of the first frame.
        skip: How many frames of the source to leave out, because they were admitted before.
        starts_s: Time at which the stream goes on, for timestamps that grow over epochs; None: as
            the source says.
        mode: What to do when no slot is free; None: `AUTO` for live sources, else `EVERY_FRAME`.
        rate: "native" to deliver frames when they are due, a number of frames per second, or None
            for as fast as they are taken.
        segments: What the names of this feeder's shared-memory segments start with.
        frames: How many frames may be under way; a few more if they are small.
        window_bytes: Bound on the memory for these; the number of frames is lowered to fit.
        outputs: Grant a second slot with every frame, for the image that a stage makes of it.
    """

    address: str
    identity: bytes
    source: Any
    stream: str = ""
    epoch: int = 0
    first_seq: int = 0
    skip: int = 0
    starts_s: float | None = None
    mode: Mode | None = None
    rate: float | str | None = None
    segments: str
    frames: int
    window_bytes: int | None = None
    outputs: bool = False


class _Stopped(Exception):  # noqa: N818 - not an error
    """The hub told the feeder to stop."""


def run_feeder(options: FeederOptions) -> None:
    """Feed one source until it ends or the hub says stop; the main function of the process."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    link = connect_local(options.address, identity=options.identity)
    try:
        link.send([encode(Hello(role="feeder", host=host_id(), pid=os.getpid()))])
        Feeder(link, options).run()
    finally:
        link.close()


def frames_held(window_bytes: int, frame_bytes: int, stream: str) -> int:
    """Tell how many frames of a size a window holds.

    Raises:
        GraphError: It holds none.
    """
    if window_bytes < frame_bytes:
        raise GraphError(
            f"window_bytes={window_bytes} holds no frame of stream {stream!r}, which needs "
            f"{frame_bytes} bytes"
        )
    return window_bytes // frame_bytes


class Feeder:
    """Reads one source and admits its frames; one call of `run()`.

    Args:
        link: To the hub.
        options: What to read, and how.
    """

    def __init__(self, link: Link, options: FeederOptions) -> None:
        self._link = link
        self._options = options
        self._slots: FrameSlots | None = None
        self._slots_per_frame = 2 if options.outputs else 1
        self._stream = options.stream
        self._seq = options.first_seq
        self._mode = options.mode
        self._read_s = 0.0
        self._shift: int | None = None

    def run(self) -> None:
        """Feed until the source ends, then wait for `Stop`: the slots must live until then."""
        source: Source | None = None
        error: NodeError | None = None
        try:
            try:
                source = open_source(self._options.source)
                self._announce(source)
                self._feed(source)
            except _Stopped:
                raise
            except Exception as problem:  # noqa: BLE001 - process boundary: told to the hub
                error = told_of(problem)
            self._end(source, error)
            while True:
                self._listen(_WAIT_S)
        except _Stopped:
            pass
        finally:
            if source is not None:
                source.close()
            if self._slots is not None:
                self._slots.close()

    def _announce(self, source: Source) -> None:
        info = source.info
        self._stream = self._stream or info.name
        if self._mode is None:
            self._mode = Mode.AUTO if info.live else Mode.EVERY_FRAME
        frames = self._make_slots(3 * info.width * info.height)
        facts = facts_of(replace(info, name=self._stream))
        options = self._options
        self._send(Announce(facts, options.epoch, options.first_seq, frames))

    def _make_slots(self, frame_bytes: int) -> int:
        """Make as many slots as the window holds, and touch their memory before the start.

        Returns:
            How many frames may be under way.

        Raises:
            GraphError: The window holds no frame.
        """
        frames, options = self._frames_of(frame_bytes), self._options
        self._slots = FrameSlots(options.segments, frames=frames, outputs=options.outputs)
        self._slots.fit(frame_bytes)
        return frames

    def _frames_of(self, frame_bytes: int) -> int:
        """Tell how many frames of a size may be under way.

        Raises:
            GraphError: The window holds no frame.
        """
        options = self._options
        frames = options.frames + min(_MOST_SPARE, _SPARE_BYTES // max(1, frame_bytes))
        if options.window_bytes is not None:
            per_frame = self._slots_per_frame * frame_bytes
            frames = min(frames, frames_held(options.window_bytes, per_frame, self._stream))
        return frames

    def _feed(self, source: Source) -> None:
        pace = Pace(self._options.rate, source.info)
        frames = frames_of(source)
        for _ in range(self._options.skip):
            if (skipped := next(frames, None)) is None:
                return
            self._shift_from(skipped)
            self._listen(0)
        while True:
            started = time.perf_counter()
            frame = next(frames, None)
            self._read_s += time.perf_counter() - started
            if frame is None:
                return
            self._shift_from(frame)
            while (wait_s := pace.due_in_s(frame)) > 0:
                self._listen(wait_s)
            is_dropped = not self._admit(frame, time.monotonic_ns())
            ahead_s = _LEAST_S - (time.perf_counter() - started)
            self._listen(ahead_s if is_dropped else 0)

    def _shift_from(self, first: Frame) -> None:
        """Find out how far the timestamps of the source are moved, from its first frame."""
        starts_s = self._options.starts_s
        if self._shift is None and starts_s is not None:
            self._shift = math.ceil(starts_s / first.time_base) - first.pts

    def _admit(self, frame: Frame, captured_ns: int) -> bool:
        """Copy a frame into a slot and tell the hub; False: it is dropped, as the mode says."""
        slots = self._slots
        assert slots is not None  # made when the stream was announced
        image = frame.image
        taken = self._acquire(slots, image.nbytes)
        about = FrameId(
            self._stream,
            self._options.epoch,
            self._seq,
            frame.pts + (self._shift or 0),
            frame.time_base.as_integer_ratio(),
            captured_ns,
        )
        if taken is not None:
            slot, output = taken
            slots.array(slot, image.shape)[...] = image
            message = Admit(about, Pixels(image.shape, slot), output)
        else:
            message = Admit(about, None, None, "no free slot")
        self._send(message)
        self._seq += 1
        return taken is not None

    def _acquire(self, slots: FrameSlots, nbytes: int) -> tuple[SlotRef, SlotRef | None] | None:
        """Take the slots for a frame; wait for them, or return None if the mode is to drop.

        Raises:
            GraphError: The frame is larger than those before, and the window does not hold it.
        """
        if not slots.holds(nbytes):
            slots.lower(self._frames_of(nbytes))
        while not slots.can_take(nbytes):
            if self._mode is Mode.EVERY_FRAME:
                self._listen(_WAIT_S)
                continue
            self._listen(0)
            if not slots.can_take(nbytes):
                return None
        slots.fit(nbytes)
        return slots.acquire()

    def _listen(self, wait_s: float) -> None:
        """Take in what the hub says; wait at most this long for something.

        Raises:
            _Stopped: It said stop.
        """
        received = self._link.receive()
        if received is None and wait_s > 0:
            self._link.wait(wait_s)
            received = self._link.receive()
        while received is not None:
            match decode(received.parts[0]):
                case Release(slots=slots, kept=kept):
                    assert self._slots is not None  # they are from there
                    for slot in slots:
                        self._slots.release(slot)
                    for slot in kept:
                        self._slots.forgo(slot)
                case Stop():
                    raise _Stopped
                case Welcome():
                    pass
                case other:
                    raise GraphError(f"a feeder got {type(other).__name__}")
            received = self._link.receive()

    def _end(self, source: Source | None, error: NodeError | None) -> None:
        losses = Losses() if source is None else source.losses
        self._send(
            Ended(
                self._stream,
                self._options.epoch,
                self._seq,
                pack_losses(losses),
                error,
                self._read_s,
            )
        )

    def _send(self, message: Message) -> None:
        self._link.send([encode(message)])
