"""The bytes of one upload on the disk: one writer at a time, and what it acknowledged stays."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sightline.file_locks import try_lock
from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UploadFile", "check_room", "size_on_disk"]


class UploadFile:
    """A file that this process alone appends to; the lock ends with the process, however it ends.

    All methods block.

    Args:
        path: The file; made if there is none.
        free_bytes: Room that is to be left on the disk.

    Attributes:
        size: Bytes in the file.

    Raises:
        ProblemError: Somebody else writes to it; status 423.
    """

    def __init__(self, path: Path, *, free_bytes: int) -> None:
        self._path = path
        self._free_bytes = free_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not try_lock(self._descriptor):
            os.close(self._descriptor)
            raise ProblemError(
                "upload-busy", "another request writes to this upload", headers={"Retry-After": "1"}
            )
        self.size = os.fstat(self._descriptor).st_size

    def append(self, piece: bytes) -> None:
        """Write at the end.

        Raises:
            ProblemError: There is no room on the disk; status 507. What was written stays.
        """
        check_room(self._path, len(piece) + self._free_bytes)
        rest = memoryview(piece)
        while rest:
            try:
                written = os.pwrite(self._descriptor, rest, self.size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise _full() from error
                raise
            self.size += written
            rest = rest[written:]

    def cut(self, size: int) -> None:
        """Drop what follows the first `size` bytes, if anything does."""
        if size < self.size:
            os.ftruncate(self._descriptor, size)
            self.size = size

    def sync(self) -> None:
        """Return when what is written would outlive a loss of power."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let others write."""
        os.close(self._descriptor)


def size_on_disk(path: Path) -> int:
    """Give the size of a file, 0 without one, when all of it would outlive a loss of power."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size


def check_room(path: Path, needed: int) -> None:
    """Check that there is room on the disk of an existing folder or file.

    Raises:
        ProblemError: There is not; status 507.
    """
    disk = os.statvfs(path)
    if disk.f_bavail * disk.f_frsize < needed:
        raise _full()


def _full() -> ProblemError:
    return ProblemError("storage-full", "there is no room left for uploads; try again later")
