"""The note of a run beside its segments: any start finds them again when the run is dead.

    sightline-run-9f0c2a71d3be      0600, locked (flock) as long as the run lives
        /run/user/1000/sightline/9f0c2a71d3be

Folders of runs lie in many places, where nobody may ever start a run again, and may be removed
under them: by who tidies temporary folders, or at the end of a user's session. A killed run would
then leave segments that nobody looks for. Its lock alone tells that it is dead.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sightline.file_locks import leads_to, try_lock
from sightline.transport.segment import segment_folder, unlink_segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RUN_ID", "RunNote", "reap_stray_segments", "segment_prefix"]

RUN_ID = re.compile(r"[0-9a-f]{12}")

_PREFIX = "sightline-run-"
_MOST_BYTES = 4096  # of a path


def segment_prefix(run_id: str) -> str:
    """Return what the names of all segments of a run start with."""
    return f"sightline-{run_id}-"


class RunNote:
    """The note of a run of this process; make it with `write`."""

    def __init__(self, path: Path, lock: int) -> None:
        """For `write`."""
        self._path = path
        self._lock = lock

    @classmethod
    def write(cls, folder: Path) -> Self:
        """Note that a run lives, and where.

        Args:
            folder: Of the run, after which it is named.

        Raises:
            OSError: The note cannot be written.
        """
        path = segment_folder() / f"{_PREFIX}{folder.name}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
        try:
            # Locked before it says anything: a note that says nothing is left alone.
            try_lock(descriptor)  # nobody else has it: it is new
            os.write(descriptor, os.fsencode(folder.absolute()))
        except OSError:
            path.unlink()
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def remove(self) -> None:
        """Remove it, because the run has ended."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


def reap_stray_segments() -> list[str]:
    """Remove the segments of this user's dead runs, wherever their folders are.

    The folders are left to the next run beside them.

    Returns:
        The ids of the runs that they were of.
    """
    dead = []
    for path in sorted(segment_folder().glob(f"{_PREFIX}*")):
        run_id = path.name.removeprefix(_PREFIX)
        if not RUN_ID.fullmatch(run_id):
            continue
        with suppress(OSError):  # it is gone by now, locked, or another user's
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _is_note(descriptor, run_id) and _is_dead(path, descriptor):
                    unlink_segments(segment_prefix(run_id))
                    path.unlink()
                    dead.append(run_id)
            finally:
                os.close(descriptor)
    return dead


def _is_note(descriptor: int, run_id: str) -> bool:
    """Tell whether an open file is a note of this user about the folder of this run.

    One that says nothing yet is of a run that is about to lock it.
    """
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
        return False
    folder = os.fsdecode(os.read(descriptor, _MOST_BYTES))
    return folder.startswith("/") and folder.endswith(f"/{run_id}")


def _is_dead(path: Path, descriptor: int) -> bool:
    """Tell whether nobody holds the lock of a note, and the note is still the one of that name."""
    return try_lock(descriptor) and leads_to(path, descriptor)
