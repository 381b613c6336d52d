"""The result file of a chunk: what became of each frame that the chunk owned, in order.

    "SLCHUNK1"                                                          8 bytes
    length of record  record, msgpack                                   4 bytes, little-endian, …
    …

The first record is the header; one for each frame follows, and before the first frame that needs
them, the names of its classes; the last record is the end. Arrays are raw bytes, little-endian.
Frames have no number: the final pass numbers them by what came before. The file comes to its name
when it is whole.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np

from sightline.detections import Detections
from sightline.errors import FormatError
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.report import FailedFrame
from sightline.stream import Losses, StreamInfo
from sightline.transport.plain_data import pack_data, unpack_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.frame import Frame

__all__ = ["ChunkEnd", "ChunkFrame", "ChunkReader", "ChunkWriter"]

_MAGIC = b"SLCHUNK1"
_LENGTH = struct.Struct("<I")
_NO_NAMES = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFrame:
    """What became of one frame; at most one of `dropped_by` and `failure` is set.

    Attributes:
        pts: Timestamp, in units of `ChunkReader.stream.time_base`.
        width: Pixels of the image after the stages of the chunk; of the frame as it was read where
            they yielded none.
        height: Likewise.
        detections: What was found.
        data: What other stages put into the frame.
        dropped_by: Name of the stage that dropped it.
        failure: Why there is no result; its `seq` counts from the first frame of the chunk.
    """

    pts: int
    width: int
    height: int
    detections: Detections
    data: Mapping[str, Any]
    dropped_by: str | None = None
    failure: FailedFrame | None = None

    def outcome(self, frame: Frame) -> Outcome:
        """Make the outcome with which later stages go on.

        Args:
            frame: The frame by its number, with whatever image is needed from here on.
        """
        if self.failure is not None:
            return Outcome(frame=None, failure=replace(self.failure, seq=frame.seq))
        if self.dropped_by is not None:
            return Outcome(frame=None, dropped_by=self.dropped_by)
        return Outcome(frame=frame.replace(detections=self.detections, data=self.data))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkEnd:
    """The account of a chunk.

    Attributes:
        frames: How many frames it owned.
        losses: What of the frames that it should own could not be delivered.
        steps: Number of calls and seconds by step: "read" and the stages.
    """

    frames: int
    losses: Losses = field(default_factory=Losses)
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)


class _Header(msgspec.Struct, array_like=True, tag=0, frozen=True):
    name: str
    size: tuple[int, int]
    time_base: tuple[int, int]
    frame_rate: tuple[int, int] | None
    frame_count: int | None
    duration_s: float | None
    stages: list[dict[str, Any]]


class _Names(msgspec.Struct, array_like=True, tag=1, frozen=True):
    names: list[str]


class _Result(msgspec.Struct, array_like=True, tag=2, frozen=True):
    pts: int
    width: int
    height: int
    xyxy: bytes
    confidence: bytes
    class_id: bytes
    track_id: bytes  # none if nothing is on a track
    names: int  # which of the names that came before
    data: bytes


class _Dropped(msgspec.Struct, array_like=True, tag=3, frozen=True):
    pts: int
    width: int
    height: int
    stage: str


class _Failed(msgspec.Struct, array_like=True, tag=4, frozen=True):
    pts: int
    width: int
    height: int
    stage: str
    error: str
    traceback: str


class _End(msgspec.Struct, array_like=True, tag=5, frozen=True):
    frames: int
    corrupt_packets: int
    corrupt_frames: int
    truncated: bool
    messages: list[str]
    steps: dict[str, tuple[int, float]]


_Record = _Header | _Names | _Result | _Dropped | _Failed | _End

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[_Record] = msgspec.msgpack.Decoder(_Record)


class ChunkWriter:
    """Writes a result file; leave `with` without `finish()`, and nothing is left of it.

    Args:
        path: Where the file is when it is whole; its folder is made. An attempt of its own has a
            name of its own.
        stream: The stream as the source announced it.
        stages: What the stages of the chunk say of themselves (`Stage.describe`), once open.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(
        self, path: Path, *, stream: StreamInfo, stages: Sequence[dict[str, Any]] = ()
    ) -> None:
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._names: dict[tuple[str, ...], int] = {}
        self._frames = 0
        self._file = self._unfinished.open("wb")
        self._file.write(_MAGIC)
        rate = stream.frame_rate
        self._write(
            _Header(
                name=stream.name,
                size=(stream.width, stream.height),
                time_base=stream.time_base.as_integer_ratio(),
                frame_rate=None if rate is None else rate.as_integer_ratio(),
                frame_count=stream.frame_count,
                duration_s=stream.duration_s,
                stages=list(stages),
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            self._unfinished.unlink()

    def add(self, frame: Frame, outcome: Outcome) -> None:
        """Write the outcome of the next frame.

        Args:
            frame: As it was read.
            outcome: What became of it.

        Raises:
            ProtocolError: Its data hold what cannot be written; nothing of the frame is.
            OSError: The file cannot be written.
        """
        self._write(self._record(frame, outcome))
        self._frames += 1

    def finish(
        self, losses: Losses, *, steps: Mapping[str, tuple[int, float]] | None = None
    ) -> None:
        """Write the end, and give the file its name: whole, and safe from a power cut.

        Args:
            losses: What the source could not deliver.
            steps: Number of calls and seconds by step.
        """
        self._write(
            _End(
                frames=self._frames,
                corrupt_packets=losses.corrupt_packets,
                corrupt_frames=losses.corrupt_frames,
                truncated=losses.truncated,
                messages=losses.messages,
                steps=dict(steps or {}),
            )
        )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.replace(self._path)
        _sync_folder(self._path.parent)

    def _record(self, frame: Frame, outcome: Outcome) -> _Record:
        if outcome.failure is not None:
            why = outcome.failure
            return _Failed(
                frame.pts, frame.width, frame.height, why.stage, why.error, why.traceback
            )
        result = outcome.frame
        if result is None:
            return _Dropped(frame.pts, frame.width, frame.height, outcome.dropped_by or "")
        data, found = pack_data(result.data), result.detections
        return _Result(
            pts=frame.pts,
            width=result.width,
            height=result.height,
            xyxy=_bytes(found.xyxy, "<f4"),
            confidence=_bytes(found.confidence, "<f4"),
            class_id=_bytes(found.class_id, "<i4"),
            track_id=_bytes(found.track_id, "<i8") if (found.track_id != -1).any() else b"",
            names=self._number_of(found.class_names),
            data=data,
        )

    def _number_of(self, names: tuple[str, ...]) -> int:
        """Number the names of classes, and write them when they are new."""
        if not names:
            return _NO_NAMES
        if names not in self._names:
            self._names[names] = len(self._names)
            self._write(_Names(list(names)))
        return self._names[names]

    def _write(self, record: _Record) -> None:
        content = _encoder.encode(record)
        self._file.write(_LENGTH.pack(len(content)))
        self._file.write(content)


class ChunkReader:
    """Reads a result file; iterate it once for the frames, in order. It holds one at a time.

    Args:
        path: A file that `ChunkWriter` finished.

    Raises:
        FormatError: It is no such file, or damaged; also while the frames are read.
        OSError: It cannot be read.

    Attributes:
        stream: The stream as the source announced it; width and height are those of the first
            frame of the chunk, count and duration those of the whole.
        stages: What the stages of the chunk say of themselves.
        end: The account of the chunk; None before all frames were read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.end: ChunkEnd | None = None
        self._names: list[tuple[str, ...]] = []
        self._file = path.open("rb")
        self._size = os.fstat(self._file.fileno()).st_size
        try:
            header = self._read_header()
            self.stream = _stream_of(header)
        except ZeroDivisionError:
            self.close()
            raise self._damaged("a rate has the denominator 0") from None
        except BaseException:
            self.close()
            raise
        self.stages = header.stages

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[ChunkFrame]:
        """Yield the frames; then `end` is there."""
        count = 0
        while True:
            record = self._read()
            if isinstance(record, _End):
                self._finish(record, count)
                return
            if isinstance(record, _Names):
                self._names.append(tuple(record.names))
                continue
            yield self._frame(record, count)
            count += 1

    def _read_header(self) -> _Header:
        if self._file.read(len(_MAGIC)) != _MAGIC:
            raise FormatError(
                f"{self._path} is not the result of a chunk, or of another version of Sightline"
            )
        header = self._read()
        if not isinstance(header, _Header):
            raise self._damaged("it has no header")
        return header

    def _read(self) -> _Record:
        prefix = self._file.read(_LENGTH.size)
        if len(prefix) < _LENGTH.size:
            raise self._damaged("it ends too early")
        (length,) = _LENGTH.unpack(prefix)
        if self._file.tell() + length > self._size:  # not read: a wrong length may be huge
            raise self._damaged("it ends too early")
        try:
            return _decoder.decode(self._file.read(length))
        except (msgspec.MsgspecError, ValueError) as error:
            raise self._damaged(str(error)) from error

    def _frame(self, record: _Record, seq: int) -> ChunkFrame:
        if isinstance(record, _Result):
            try:
                return self._result(record)
            except (ValueError, IndexError) as error:
                raise self._damaged(str(error)) from error
        if not isinstance(record, _Dropped | _Failed):
            raise self._damaged("its records are in a wrong order")
        dropped_by = failure = None
        if isinstance(record, _Dropped):
            dropped_by = record.stage
        else:
            failure = FailedFrame(
                seq=seq, stage=record.stage, error=record.error, traceback=record.traceback
            )
        return ChunkFrame(
            pts=record.pts,
            width=record.width,
            height=record.height,
            detections=Detections.empty(),
            data={},
            dropped_by=dropped_by,
            failure=failure,
        )

    def _result(self, record: _Result) -> ChunkFrame:
        names = () if record.names == _NO_NAMES else self._names[record.names]
        tracks = np.frombuffer(record.track_id, "<i8") if record.track_id else None
        return ChunkFrame(
            pts=record.pts,
            width=record.width,
            height=record.height,
            detections=Detections(
                xyxy=np.frombuffer(record.xyxy, "<f4").reshape(-1, 4),
                confidence=np.frombuffer(record.confidence, "<f4"),
                class_id=np.frombuffer(record.class_id, "<i4"),
                track_id=tracks,  # type: ignore[arg-type]  # None: the default
                class_names=names,
            ),
            data=unpack_data(record.data),
        )

    def _finish(self, record: _End, count: int) -> None:
        if record.frames != count or self._file.read(1):
            raise self._damaged(f"it ends with {record.frames} frames, but has {count}")
        losses = Losses(
            corrupt_packets=record.corrupt_packets,
            corrupt_frames=record.corrupt_frames,
            truncated=record.truncated,
            messages=record.messages,
        )
        self.end = ChunkEnd(frames=count, losses=losses, steps=record.steps)

    def _damaged(self, why: str) -> FormatError:
        return FormatError(f"the result of a chunk, {self._path}, is damaged: {why}")


def _stream_of(header: _Header) -> StreamInfo:
    return StreamInfo(
        name=header.name,
        width=header.size[0],
        height=header.size[1],
        time_base=Fraction(*header.time_base),
        frame_rate=None if header.frame_rate is None else Fraction(*header.frame_rate),
        frame_count=header.frame_count,
        duration_s=header.duration_s,
    )


def _bytes(array: NDArray[Any], dtype: str) -> bytes:
    return array.astype(dtype, copy=False).tobytes()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
