"""A segment of shared memory: a file of equal slots that processes of one machine map.

    ┌───────────┬─────────┬───────┬────────────┐
    │ magic  8s │ version │ slots │ slot_bytes │  u32, u32, u64; byte order of the machine
    ├───────────┴─────────┴───────┴────────────┤
    │ generation of each slot, u64, at byte 64 │  the owner counts it up when it gives the slot out
    ├──────────────────────────────────────────┤
    │ slots, each a whole number of pages      │
    └──────────────────────────────────────────┘

Whoever creates a segment owns it: it alone counts generations up and removes the file. It does not
know which slots are free, nor what lies in them.
"""

from __future__ import annotations

import errno
import glob
import math
import mmap
import os
import re
import stat
import struct
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import SharedMemoryError

if TYPE_CHECKING:
    from sightline.frame import Image

__all__ = [
    "Segment",
    "check_room",
    "free_bytes",
    "required_bytes",
    "segment_folder",
    "unlink_segments",
]

_HEADER = struct.Struct("=8sIIQ")
_MAGIC = b"SIGHTSHM"
_VERSION = 1
_GENERATIONS_AT = 64
_NAME = re.compile(r"sightline-[A-Za-z0-9._-]{1,200}")
_RUN = re.compile(r"sightline-[0-9a-f]{12}-")
# Pages are touched when they are mapped: the first frames must not pay for page faults.
_MAP_FLAGS = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
_UINT8 = np.dtype(np.uint8)


@cache
def segment_folder() -> Path:
    """Return the folder in which segments lie: in memory, where the system has one that is."""
    shm = Path("/dev/shm")  # noqa: S108 - segments are of mode 0600 and checked on attaching
    return shm if shm.is_dir() else Path(tempfile.gettempdir())


def _path_of(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise SharedMemoryError(
            f"{name!r} cannot be the name of a shared memory segment; it must be 'sightline-' and "
            "up to 200 letters, digits, dots, underscores and hyphens"
        )
    return segment_folder() / name


def _whole_pages(nbytes: int) -> int:
    return -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE


def _slots_at(slots: int) -> int:
    """Return the byte at which the first slot starts."""
    return _whole_pages(_GENERATIONS_AT + 8 * slots)


def required_bytes(slots: int, slot_bytes: int) -> int:
    """Return the size of a segment in bytes.

    >>> required_bytes(4, 640 * 480 * 3) // 1024
    3604
    """
    return _slots_at(slots) + slots * _whole_pages(slot_bytes)


def free_bytes() -> int:
    """Return how many bytes are free where segments lie."""
    figures = os.statvfs(segment_folder())
    return figures.f_bavail * figures.f_frsize


def check_room(slots: int, slot_bytes: int, *, name: str = "") -> None:
    """Make sure that there is memory for a segment now; nothing is taken yet.

    Args:
        slots: Number of slots.
        slot_bytes: Bytes that each slot must hold.
        name: Name of the segment, from which is known what its run holds already.

    Raises:
        SharedMemoryError: There is not enough.
    """
    if required_bytes(slots, slot_bytes) > free_bytes():
        raise _too_little(slots, slot_bytes, name)


def unlink_segments(prefix: str) -> list[str]:
    """Remove all segments whose name starts with a prefix; mappings of them live on.

    Returns:
        The names of those that were removed.
    """
    removed = []
    for path in segment_folder().glob(f"{glob.escape(prefix)}*"):
        # It may be gone by now, or be another user's, whom nobody told to use such a name.
        with suppress(FileNotFoundError, PermissionError):
            path.unlink()
            removed.append(path.name)
    return removed


class Segment:
    """A mapped segment. Make one with `create`, or map that of another process with `attach`.

    Arrays of a segment may outlive it: the mapping goes when the last of them is gone.

    Attributes:
        name: Name of the segment, the same in all processes.
        slots: Number of slots; 0 once it is closed.
        slot_bytes: Bytes in a slot, a multiple of the page size.
        address: Where the first slot starts in the memory of this process.
    """

    __slots__ = (
        "_first",
        "_generations",
        "_memory",
        "_readable",
        "address",
        "name",
        "slot_bytes",
        "slots",
    )

    def __init__(self, name: str, memory: mmap.mmap, *, slots: int, slot_bytes: int) -> None:
        """For `create` and `attach`."""
        self.name = name
        self.slots = slots
        self.slot_bytes = slot_bytes
        self._first = _slots_at(slots)
        # Arrays that NumPy makes of a mapping keep it alive but do not keep it from being closed:
        # so it is never closed, only let go of.
        self._memory: mmap.mmap | bytes = memory
        self._readable = memoryview(memory).toreadonly()
        generations_end = _GENERATIONS_AT + 8 * slots
        self._generations = memoryview(memory)[_GENERATIONS_AT:generations_end].cast("Q")
        self.address = np.frombuffer(memory, _UINT8).ctypes.data + self._first

    @classmethod
    def create(cls, name: str, *, slots: int, slot_bytes: int) -> Segment:
        """Make a segment, of which every page is there from the start; mode 0600.

        Args:
            name: A new one; see `attach`.
            slots: Number of slots, from 1.
            slot_bytes: Bytes that each slot must hold, from 1; rounded up to whole pages.

        Raises:
            SharedMemoryError: There is not enough shared memory; the name is taken or not a name.
        """
        if slots < 1 or slot_bytes < 1:
            raise ValueError(f"slots and slot_bytes must be 1 or more, not {slots}, {slot_bytes}")
        path, size = _path_of(name), required_bytes(slots, slot_bytes)
        check_room(slots, slot_bytes, name=name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o600)
        except OSError as error:
            raise _unusable(name, error) from error
        try:
            _allocate(descriptor, size)
            memory = mmap.mmap(descriptor, size, flags=_MAP_FLAGS)
        except OSError as error:
            path.unlink()
            if error.errno == errno.ENOSPC:
                raise _too_little(slots, slot_bytes, name) from error
            raise _unusable(name, error) from error
        finally:
            os.close(descriptor)
        slot_bytes = _whole_pages(slot_bytes)
        _HEADER.pack_into(memory, 0, _MAGIC, _VERSION, slots, slot_bytes)
        return cls(name, memory, slots=slots, slot_bytes=slot_bytes)

    @classmethod
    def attach(cls, name: str) -> Segment:
        """Map a segment of another process of the same user.

        Args:
            name: "sightline-" and up to 200 letters, digits, dots, underscores and hyphens.

        Raises:
            SharedMemoryError: It is not there, belongs to another user, or is no segment.
        """
        path = _path_of(name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise SharedMemoryError(
                f"shared memory segment {name!r} is not there; its owner has ended or replaced it"
            ) from error
        except OSError as error:
            raise _unusable(name, error) from error
        try:
            slots, slot_bytes = _read_header(descriptor, name)
            try:
                memory = mmap.mmap(descriptor, required_bytes(slots, slot_bytes), flags=_MAP_FLAGS)
            except OSError as error:
                raise _unusable(name, error) from error
        finally:
            os.close(descriptor)
        return cls(name, memory, slots=slots, slot_bytes=slot_bytes)

    def generation(self, index: int) -> int:
        """Return how many times a slot was given out.

        Raises:
            SharedMemoryError: There is no such slot, or the segment is closed.
        """
        if not 0 <= index < self.slots:
            raise SharedMemoryError(
                f"segment {self.name!r} has {self.slots} slots, no slot {index}"
            )
        return self._generations[index]

    def bump(self, index: int) -> int:
        """Count the generation of a slot up; only the owner may.

        Returns:
            The new generation.
        """
        generation = self.generation(index) + 1
        self._generations[index] = generation
        return generation

    def view(
        self, index: int, shape: tuple[int, ...], *, offset: int = 0, writeable: bool = False
    ) -> Image:
        """Show part of a slot as an array, which is not copied.

        Args:
            index: Number of the slot.
            shape: Shape of the array; uint8, C order.
            offset: Where it starts in the slot, in bytes.
            writeable: Whether the array may be written to.

        Returns:
            An array that is no view of another one: all views of it have it as their `base`.

        Raises:
            SharedMemoryError: It does not lie inside a slot, or the segment is closed.
        """
        nbytes = math.prod(shape)
        fits = 0 <= offset <= self.slot_bytes - nbytes and min(shape, default=0) >= 0
        if not (fits and 0 <= index < self.slots):
            raise SharedMemoryError(
                f"an image of shape {tuple(shape)} at byte {offset} of slot {index} is not inside "
                f"segment {self.name!r} of {self.slots} slots of {self.slot_bytes} bytes"
            )
        buffer = self._memory if writeable else self._readable
        return np.ndarray(shape, _UINT8, buffer, self._first + index * self.slot_bytes + offset)

    def is_there(self) -> bool:
        """Tell whether the segment still has its file, so that others can attach to it."""
        return _path_of(self.name).exists()

    def unlink(self) -> None:
        """Remove the file, if it is there; all mappings live on. Only the owner should."""
        _path_of(self.name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the mapping, which lives on as long as arrays of it do."""
        self.slots = 0
        self._memory = b""
        self._readable = memoryview(b"")
        self._generations = memoryview(b"").cast("Q")


def _allocate(descriptor: int, size: int) -> None:
    """Give a file its size, and where the system can, its memory: too little is found out now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def _read_header(descriptor: int, name: str) -> tuple[int, int]:
    """Return how many slots an open segment has, and how many bytes are in each."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
        raise SharedMemoryError(f"shared memory segment {name!r} belongs to another user")
    header = os.pread(descriptor, _HEADER.size, 0)
    if len(header) == _HEADER.size:
        magic, version, slots, slot_bytes = _HEADER.unpack(header)
        size = required_bytes(slots, slot_bytes)
        if (magic, version, size) == (_MAGIC, _VERSION, status.st_size):
            return slots, slot_bytes
    raise SharedMemoryError(
        f"{name!r} is not a shared memory segment of this release of Sightline; "
        "run the same release in all processes"
    )


def _too_little(slots: int, slot_bytes: int, name: str) -> SharedMemoryError:
    needed, held = required_bytes(slots, slot_bytes), _held_beside(name)
    beside = f" beside {held:,} that the streams of this run hold already" if held else ""
    return SharedMemoryError(
        f"{slots} slots of {slot_bytes:,} bytes need {needed:,} bytes of shared memory, but "
        f"{free_bytes():,} are free in {segment_folder()}{beside}; use a smaller window for every "
        "stream (window_bytes; on the command line --window-bytes), fewer handlers, or more shared "
        "memory (in a container: --shm-size)"
    )


def _held_beside(name: str) -> int:
    """Count the bytes of all segments of the run that a segment is of, as its name says."""
    run, held = _RUN.match(name), 0
    for path in segment_folder().glob(f"{run[0]}*") if run else ():
        with suppress(FileNotFoundError):  # it is gone by now
            held += path.stat().st_size
    return held


def _unusable(name: str, error: OSError) -> SharedMemoryError:
    return SharedMemoryError(f"shared memory segment {name!r} cannot be used: {error}")
