"""Finds files that end before their own headers say they do.

Containers state lengths in their structure: boxes (ISO/IEC 14496-12, 4.2), EBML elements
(RFC 8794), RIFF chunks, transport packets (ISO/IEC 13818-1), FLV tags. Comparing them with the
size of the file finds what was cut off exactly, and nothing in a file that is whole, however its
streams differ in length.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from sightline.media.mp4_boxes import top_level_boxes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["missing_bytes"]

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_SYNC = 0x47
_SYNC_BYTES = 5
_TRANSPORT_PACKETS = {188: 0, 192: 4, 204: 0}
"""Sizes of transport packets (plain, with a time code before, with check bytes after), and where
the sync byte is in each."""
_MP4_CONTENT = (b"mdat", b"moof", b"moov")
_FLV_TAGS = (8, 9, 18)


def missing_bytes(path: Path, format_name: str) -> int:
    """Count the bytes that the structure of a file promises beyond its end.

    Args:
        path: A regular file.
        format_name: Name of its container as FFmpeg gives it, for example "matroska,webm".

    Returns:
        At least this many bytes are missing; 0 if none are, or if the container does not tell.
    """
    measure = _MEASURES.get(format_name.partition(",")[0])
    if measure is None:
        return 0
    size = path.stat().st_size
    with path.open("rb") as file:
        return max(0, measure(file, size) - size)


def _mp4_length(file: BinaryIO, size: int) -> int:
    """Follow the boxes; what is no box was appended by somebody else."""
    boxes = top_level_boxes(file, size)
    return max((box.end for box in boxes if box.kind in _MP4_CONTENT), default=size)


def _matroska_length(file: BinaryIO, size: int) -> int:
    """Add up EBML header and segment: `id size data`, the segment's size unknown if all ones."""
    position = 0
    for expected in (_EBML_HEADER, _MATROSKA_SEGMENT):
        file.seek(position)
        head = file.read(12)
        if len(head) < 5 or head[:4] != expected or not head[4]:
            return size
        width = 9 - head[4].bit_length()
        mask = (1 << 7 * width) - 1
        length = int.from_bytes(head[4 : 4 + width], "big") & mask
        if length == mask:
            return size
        position += 4 + width + length
    return position


def _avi_length(file: BinaryIO, size: int) -> int:
    """Walk the RIFF chunks: `"RIFF" size:u32le data`, each at most a gigabyte or so."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or not length:  # a recorder that was cut off leaves the size 0
            return size
        position += 8 + length + length % 2
    return position


def _transport_length(file: BinaryIO, size: int) -> int:
    """Round up to whole packets, whose size shows in the distance of their sync bytes."""
    head = file.read(_SYNC_BYTES * max(_TRANSPORT_PACKETS))
    for length, sync in _TRANSPORT_PACKETS.items():
        marks = head[sync : _SYNC_BYTES * length : length]
        if marks and set(marks) == {_SYNC}:
            return size + -size % length
    return size


def _flv_length(file: BinaryIO, size: int) -> int:
    """Look for a whole tag at the end: `type:u8 length:u24 … data`, then 11 + length as u32."""
    if size < 32:
        return size
    file.seek(size - 4)
    length = int.from_bytes(file.read(4), "big")
    if 11 <= length <= size - 4:
        file.seek(size - 4 - length)
        head = file.read(4)
        if head[0] in _FLV_TAGS and int.from_bytes(head[1:], "big") + 11 == length:
            return size
    return size + 1


_MEASURES: dict[str, Callable[[BinaryIO, int], int]] = {
    "avi": _avi_length,
    "flv": _flv_length,
    "matroska": _matroska_length,
    "mov": _mp4_length,
    "mpegts": _transport_length,
}
