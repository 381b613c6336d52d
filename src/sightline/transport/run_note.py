"""The note of a run beside its segments: it finds them again when the folder of the run is gone.

    sightline-run-9f0c2a71d3be      0600, locked (flock) as long as the run lives
        /run/user/1000/sightline/9f0c2a71d3be

Folders of runs may be removed under them: by who tidies temporary folders, or at the end of a
user's session. A killed run would then leave segments that nobody looks for.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sightline.file_locks import try_lock
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
    """Remove the segments of this user's dead runs whose folder is gone.

    Those of dead runs that have a folder are removed by the next run beside it.

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
                if _is_stray(descriptor) and try_lock(descriptor):
                    unlink_segments(segment_prefix(run_id))
                    path.unlink()
                    dead.append(run_id)
            finally:
                os.close(descriptor)
    return dead


def _is_stray(descriptor: int) -> bool:
    """Tell whether an open file is a note of this user about a folder that is not there."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
        return False
    folder = os.fsdecode(os.read(descriptor, _MOST_BYTES))
    return folder.startswith("/") and not os.path.lexists(folder)
