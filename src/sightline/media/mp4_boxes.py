"""Walks the top-level boxes of MP4 and QuickTime files (ISO/IEC 14496-12, 4.2).

size:u32 type:4 [size:u64 if the first size is 1] data     big-endian, size counts everything
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Box", "top_level_boxes"]

_HEADER = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class Box:
    """A top-level box.

    Attributes:
        kind: Its type, for example `b"moov"`.
        end: Offset at which it says that it ends; beyond the end of a file that was cut off.
    """

    kind: bytes
    end: int


def top_level_boxes(file: BinaryIO, size: int) -> Iterator[Box]:
    """Yield the boxes of a file of `size` bytes, up to the end or what is no box."""
    position = 0
    while position + _HEADER.size <= size:
        file.seek(position)
        length, kind = _HEADER.unpack(file.read(_HEADER.size))
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        elif length == 0:
            length = size - position
        if length < _HEADER.size:
            return
        position += length
        yield Box(kind, position)
