"""Converts frames, detections and streams to what messages carry, and back.

It knows what the fields of messages mean, but not who sends them, nor where pixels come from.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sightline.detections import Detections
from sightline.errors import ProtocolError
from sightline.frame import Frame
from sightline.stream import Losses, StreamInfo
from sightline.transport.messages import FrameId, Objects, StreamFacts
from sightline.transport.plain_data import pack_data, unpack_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.frame import Buffers, Image

__all__ = [
    "facts_of",
    "frame_id_of",
    "frame_of",
    "info_of",
    "pack_data",
    "pack_losses",
    "pack_objects",
    "unpack_data",
    "unpack_losses",
    "unpack_objects",
]

_NO_DETECTIONS = Detections.empty()
_F4, _I4, _I8 = np.dtype("<f4"), np.dtype("<i4"), np.dtype("<i8")
_names_encoder = msgspec.msgpack.Encoder()
_names_decoder = msgspec.msgpack.Decoder(tuple[str, ...])


def frame_id_of(frame: Frame, *, epoch: int, captured_ns: int) -> FrameId:
    """Name a frame on the wire.

    Args:
        frame: Which one.
        epoch: Incarnation of its stream.
        captured_ns: Monotonic clock when the source delivered it.
    """
    base = frame.time_base
    return FrameId(
        frame.stream, epoch, frame.seq, frame.pts, (base.numerator, base.denominator), captured_ns
    )


def frame_of(
    frame_id: FrameId,
    image: Image,
    *,
    objects: Objects | None = None,
    data: bytes = b"",
    buffers: Buffers | None = None,
) -> Frame:
    """Make the frame that a message describes.

    Args:
        frame_id: Which one.
        image: Its pixels; shared, not copied.
        objects: Its detections; None: none.
        data: Its data, packed.
        buffers: Memory granted for images that stages make of it.

    Raises:
        ProtocolError: Something of it is malformed.
    """
    found = _NO_DETECTIONS if objects is None else unpack_objects(objects)
    time_base, values = _fraction(frame_id.time_base), unpack_data(data)
    try:
        return Frame(
            image=image,
            seq=frame_id.seq,
            pts=frame_id.pts,
            time_base=time_base,
            stream=frame_id.stream,
            detections=found,
            data=values,
            _buffers=buffers,
        )
    except ValueError as error:
        raise ProtocolError(f"a malformed frame came: {error}") from error


def pack_objects(detections: Detections) -> Objects:
    """Write detections.

    Raises:
        ProtocolError: They are something else.
    """
    if not isinstance(detections, Detections):
        raise ProtocolError(f"the detections of a frame are a {type(detections).__name__}")
    return Objects(
        _bytes(detections.xyxy, _F4),
        _bytes(detections.confidence, _F4),
        _bytes(detections.class_id, _I4),
        _bytes(detections.track_id, _I8),
        _packed_names(detections.class_names),
    )


def unpack_objects(objects: Objects) -> Detections:
    """Read detections; the arrays are read-only views of the bytes.

    Raises:
        ProtocolError: The columns differ in length, or the names are malformed.
    """
    rows, rest = divmod(len(objects.xyxy), 16)
    sizes = (len(objects.confidence), len(objects.class_id), len(objects.track_id))
    if rest or sizes != (4 * rows, 4 * rows, 8 * rows):
        raise ProtocolError(
            f"malformed detections came: columns of {len(objects.xyxy)}, {sizes[0]}, {sizes[1]} "
            f"and {sizes[2]} bytes"
        )
    # Without the checks of the constructor, which would double the time.
    detections = object.__new__(Detections)
    set_field = object.__setattr__
    set_field(detections, "xyxy", np.frombuffer(objects.xyxy, _F4).reshape(rows, 4))
    set_field(detections, "confidence", np.frombuffer(objects.confidence, _F4))
    set_field(detections, "class_id", np.frombuffer(objects.class_id, _I4))
    set_field(detections, "track_id", np.frombuffer(objects.track_id, _I8))
    set_field(detections, "class_names", _unpacked_names(objects.class_names))
    return detections


def facts_of(info: StreamInfo) -> StreamFacts:
    """Write what is known of a stream."""
    rate = info.frame_rate
    return StreamFacts(
        info.name,
        info.width,
        info.height,
        (info.time_base.numerator, info.time_base.denominator),
        None if rate is None else (rate.numerator, rate.denominator),
        info.frame_count,
        info.duration_s,
        info.live,
    )


def info_of(facts: StreamFacts) -> StreamInfo:
    """Read what is known of a stream.

    Raises:
        ProtocolError: It makes no sense, or its name could name a file elsewhere.
    """
    if facts.name in ("", ".", "..") or "/" in facts.name or "\0" in facts.name:
        raise ProtocolError(f"a stream of the name {facts.name!r} came, which cannot name a file")
    if facts.width < 1 or facts.height < 1:
        raise ProtocolError(f"a stream of {facts.width}x{facts.height} pixels came")
    rate = facts.frame_rate
    return StreamInfo(
        name=facts.name,
        width=facts.width,
        height=facts.height,
        time_base=_fraction(facts.time_base),
        frame_rate=None if rate is None else _fraction(rate),
        frame_count=facts.frame_count,
        duration_s=facts.duration_s,
        live=facts.live,
    )


def pack_losses(losses: Losses) -> tuple[int, int, bool, tuple[str, ...]]:
    """Write what a source could not deliver, as it is now."""
    return losses.corrupt_packets, losses.corrupt_frames, losses.truncated, tuple(losses.messages)


def unpack_losses(losses: tuple[int, int, bool, tuple[str, ...]]) -> Losses:
    """Read what a source could not deliver.

    >>> unpack_losses((2, 0, False, ("2 packets were damaged",))).corrupt_packets
    2
    """
    packets, frames, truncated, messages = losses
    return Losses(
        corrupt_packets=packets,
        corrupt_frames=frames,
        truncated=truncated,
        messages=list(messages),
    )


def _bytes(column: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    return column.astype(dtype, copy=False).tobytes()


@lru_cache(maxsize=64)
def _packed_names(names: tuple[str, ...]) -> bytes:
    return _names_encoder.encode(names)


@lru_cache(maxsize=64)
def _unpacked_names(names: bytes) -> tuple[str, ...]:
    try:
        return _names_decoder.decode(names)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError(f"malformed class names came: {error}") from error


@lru_cache(maxsize=64)
def _fraction(pair: tuple[int, int]) -> Fraction:
    numerator, denominator = pair
    if numerator < 1 or denominator < 1:
        raise ProtocolError(f"the fraction {numerator}/{denominator} came, which is not positive")
    return Fraction(numerator, denominator)
