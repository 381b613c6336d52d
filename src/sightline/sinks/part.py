"""The unfinished file of an output, NAME.part: one writer at a time, across processes.

    PartFile(NAME)  ──►  NAME.part, locked (flock)  ──move()──►  NAME
                              └──release()──►  nothing

The lock says whose the file is; what a killed run left has none and is taken over. What is written
into the file, this does not know.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sightline.file_locks import leads_to, try_lock

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = ["PartFile"]

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems say that have no locks; an output on one goes unguarded, but goes."""


class PartFile:
    """The unfinished file of an output, taken by whoever makes this until `release()`.

    It is made if it is not there; what it holds already stays until the taker overwrites it.

    Args:
        whole: The name that the file is to have when it is complete.

    Attributes:
        path: The name that it has until then.

    Raises:
        BlockingIOError: Another process, or another sink of this one, is writing it.
        OSError: It cannot be made.
    """

    def __init__(self, whole: Path) -> None:
        self.path = whole.with_name(whole.name + ".part")
        self._whole = whole
        self._file = _take(self.path)

    def move(self) -> None:
        """Give the file its final name; it is locked until `release()`.

        Raises:
            OSError: It cannot be moved, or is not there any more.
        """
        if not leads_to(self.path, self._file.fileno()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.path.replace(self._whole)

    def release(self) -> None:
        """Remove the file, unless it was moved, and let others take its name.

        Raises:
            OSError: It cannot be removed; others can take it nevertheless.
        """
        with self._file:
            # After a move the name may belong to another run already.
            if leads_to(self.path, self._file.fileno()):
                self.path.unlink()


def _take(path: Path) -> FileIO:
    """Open and lock a file, which others may move or remove between the one and the other."""
    while True:
        with ExitStack() as stack:
            # To append, since another one may be writing it: nothing is cut off.
            file = stack.enter_context(path.open("ab", buffering=0))
            _lock(file)
            if leads_to(path, file.fileno()):
                stack.pop_all()
                return file


def _lock(file: FileIO) -> None:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return  # a device, which takes any number of writers
    try:
        is_ours = try_lock(file.fileno())
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        return
    if not is_ours:
        message = "another run, or another output of this run, is writing it; choose another path"
        raise BlockingIOError(errno.EWOULDBLOCK, message)
