"""What nodes say to each other: typed messages and their one encoding; see spec/wire.md.

    ┌─────────┬──────────────────────────────────────────────┐
    │ version │ msgpack array: [type number, field, field, …] │
    └─────────┴──────────────────────────────────────────────┘
      1 byte    the message; raw buffers follow as parts of their own

Fields are only ever added at the end, with a default, within one version. It does not know sockets,
nor how pixels come into a slot.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.errors import ProtocolError

__all__ = [
    "PROTOCOL_VERSION",
    "Admit",
    "Announce",
    "Beat",
    "Change",
    "Done",
    "Ended",
    "Failure",
    "FrameId",
    "Hello",
    "Message",
    "NodeError",
    "Objects",
    "Pixels",
    "Ready",
    "Release",
    "Result",
    "SlotRef",
    "Stop",
    "StreamFacts",
    "Welcome",
    "Work",
    "decode",
    "encode",
]

PROTOCOL_VERSION = 1


class SlotRef(msgspec.Struct, frozen=True, array_like=True):
    """A slot of shared memory as it was when it was given out.

    Attributes:
        segment: Name of the segment.
        index: Number of the slot in the segment, from 0.
        generation: How many times the slot had been given out; another number means other pixels.
        capacity: Bytes in the slot.
    """

    segment: str
    index: int
    generation: int
    capacity: int


class Pixels(msgspec.Struct, frozen=True, array_like=True):
    """Where an image is: in a slot, or in the message part that follows.

    Attributes:
        shape: (H, W, 3) or (H, W); uint8, C order.
        slot: The slot; None: the next message part is the image.
        offset: Where the image starts in the slot, in bytes.
    """

    shape: tuple[int, ...]
    slot: SlotRef | None = None
    offset: int = 0


class Objects(msgspec.Struct, frozen=True, array_like=True):
    """Detections, column by column: little-endian arrays of N rows, as in `Detections`.

    Attributes:
        xyxy: float32 (N, 4).
        confidence: float32 (N,).
        class_id: int32 (N,).
        track_id: int64 (N,).
        class_names: msgpack array of strings.
    """

    xyxy: bytes
    confidence: bytes
    class_id: bytes
    track_id: bytes
    class_names: bytes


class FrameId(msgspec.Struct, frozen=True, array_like=True):
    """Which frame, and where it stands in time.

    Attributes:
        stream: Name of the stream.
        epoch: Incarnation of the stream; grows when a source is opened anew.
        seq: Number of the frame in the stream; goes on over epochs.
        pts: Presentation time in units of `time_base`.
        time_base: Seconds per unit of `pts`: numerator, denominator.
        captured_ns: Monotonic clock of the source's machine when the source delivered the frame.
    """

    stream: str
    epoch: int
    seq: int
    pts: int
    time_base: tuple[int, int]
    captured_ns: int

    @property
    def key(self) -> tuple[str, int, int]:
        """Stream, epoch and number: what the frame is called wherever it is."""
        return self.stream, self.epoch, self.seq


class StreamFacts(msgspec.Struct, frozen=True, array_like=True):
    """`StreamInfo` on the wire; see there. Fractions are numerator and denominator."""

    name: str
    width: int
    height: int
    time_base: tuple[int, int]
    frame_rate: tuple[int, int] | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    live: bool = False


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """What a stage raised on a frame: name of the stage, one line, the formatted traceback."""

    stage: str
    error: str
    traceback: str


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A node to the node that it connects to: who it is. The answer is `Welcome`.

    Attributes:
        role: "feeder" or "handler".
        host: `host_id()` of its machine.
        pid: Its process, for those on the same machine.
        changes_image: A handler whose stages make new images wants slots for them.
        batch: How many frames a handler takes at once.
    """

    role: str
    host: str
    pid: int
    changes_image: bool = False
    batch: int = 1


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The answer to `Hello`: the node that was connected to.

    A node that was started anew says it also to peers whose `Hello` it has not got.

    Attributes:
        host: `host_id()` of its machine.
        pid: Its process; 0: not told.
        role: "hub", "source" or "collector"; "": not told.
        epochs: Of a collector: every stream that it has had, and its last epoch.
    """

    host: str
    pid: int
    role: str = ""
    epochs: list[tuple[str, int]] = []


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A handler has opened its stages and takes work now.

    Attributes:
        epochs: What the collector said in its last `Welcome`; a source begins after its own.
    """

    epochs: list[tuple[str, int]] = []


class NodeError(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A node cannot start or go on: class of the error, and its message.

    Attributes:
        kind: Name of a class in `sightline.errors`, or of another exception.
        message: One line for people.
    """

    kind: str
    message: str


class Beat(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A handler lives; sent at a steady rate whether or not it works."""


class Announce(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """A source is open: the stream it delivers from now on.

    Attributes:
        epoch: Grows every time the source is opened.
        first_seq: Number of the first frame that will be admitted.
        window: How many frames may be under way; 0: not told.
        host: `host_id()` of the source's machine, whose clock `captured_ns` is of; "": not told.
    """

    stream: StreamFacts
    epoch: int
    first_seq: int
    window: int = 0
    host: str = ""


class Admit(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """A source delivered a frame, or a number whose frame it had to drop.

    Attributes:
        frame: Which one.
        pixels: Where it is; None if it was dropped.
        output: A slot for the image that a stage may make of it.
        dropped: Why it was dropped at the source; "" if it was not.
    """

    frame: FrameId
    pixels: Pixels | None
    output: SlotRef | None = None
    dropped: str = ""


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """A stream is over.

    Attributes:
        count: Numbers given out in the stream, over all epochs.
        losses: `Losses` of the source: corrupt packets, corrupt frames, truncated, messages.
        error: What ended the source, if it did not end by itself.
        read_s: Seconds spent reading and decoding.
    """

    stream: str
    epoch: int
    count: int
    losses: tuple[int, int, bool, tuple[str, ...]] = (0, 0, False, ())
    error: NodeError | None = None
    read_s: float = 0.0


class Release(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Slots that frames have left.

    Attributes:
        slots: The source may use them again.
        kept: It must never use these again: somebody holds on to the pixels in them.
    """

    slots: list[SlotRef]
    kept: list[SlotRef] = []


class Work(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """A frame, or an object of one, to take through a step of the pipeline.

    Attributes:
        frame: Which one.
        pixels: Its image.
        step: Which step of the pipeline; steps are numbered from 0.
        part: Row of the object whose crop is meant; -1: the whole frame.
        objects: Its detections; None: none.
        data: Its data, a msgpack map; empty: none.
        output: Where a stage may put a new image; None: into the answer.
        origin: To a handler on another machine: where the image is on that of the source.
    """

    frame: FrameId
    pixels: Pixels
    step: int = 0
    part: int = -1
    objects: Objects | None = None
    data: bytes = b""
    output: SlotRef | None = None
    origin: Pixels | None = None


class Result(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """What became of `Work`. What it leaves out is as it was in the work.

    Attributes:
        frame: Which frame.
        step: As in the work.
        part: As in the work.
        pixels: The image if it is a new one; a message part follows if it is in no slot.
        objects: The detections, if they are new.
        data: The data, if they are new.
        dropped_by: Name of the stage that dropped the frame; "" if none did.
        failure: What a stage raised.
        started_ns: Monotonic clock of the handler's machine when it began.
        ended_ns: The same when it was done.
        times: Seconds in each stage, by name.
        kept: A stage holds on to pixels in the slots of the frame, which must not be used again.
    """

    frame: FrameId
    step: int = 0
    part: int = -1
    pixels: Pixels | None = None
    objects: Objects | None = None
    data: bytes | None = None
    dropped_by: str = ""
    failure: Failure | None = None
    started_ns: int = 0
    ended_ns: int = 0
    times: list[tuple[str, float]] = []
    kept: bool = False


class Done(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """A collector is finished with frames.

    Attributes:
        keys: Stream, epoch and seq of each; the `count` of `Ended` as seq: with the stream.
        kept: Those of which it holds on to pixels in slots.
        refused: Stream and epoch of sources that it takes nothing from, as it has had the later
            epoch that follows.
    """

    keys: list[tuple[str, int, int]]
    kept: list[tuple[str, int, int]] = []
    refused: list[tuple[str, int, int]] = []


class Change(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Change parameters of a stage, from the next frame on; a handler that refuses sends it back.

    Attributes:
        stage: Name of the stage in the pipeline.
        parameters: By name; plain values.
    """

    stage: str
    parameters: dict[str, Any]


class Stop(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """Leave after the frame at hand."""


Message = (
    Hello
    | Welcome
    | Ready
    | NodeError
    | Beat
    | Announce
    | Admit
    | Ended
    | Release
    | Work
    | Result
    | Done
    | Change
    | Stop
)

_VERSION = bytes([PROTOCOL_VERSION])
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    r"""Write a message.

    >>> encode(Stop())
    b'\x01\x91\x0e'
    """
    return _VERSION + _encoder.encode(message)


def decode(data: bytes | memoryview) -> Message:
    """Read a message.

    Raises:
        ProtocolError: It is of another version, malformed, or of a type that is not known.

    >>> decode(encode(Stop()))
    Stop()
    """
    if not data:
        raise ProtocolError("an empty message came; is the other side a Sightline node?")
    if data[0] != PROTOCOL_VERSION:
        raise ProtocolError(
            f"a message of version {data[0]} came, but version {PROTOCOL_VERSION} is spoken here; "
            "run the same release of Sightline on all machines"
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a malformed message came: {error}") from error
