"""The folder of a run: its sockets, its name, and the lock that tells whether it lives.

    BASE/                 0700, of this user
      9f0c2a71d3be/       0700, locked (flock) as long as the run lives
        hub               sockets

A run that was killed leaves its folder and its segments; the lock is free then, and the next run in
this base removes both; a run in another base removes the segments, to which `run_note` leads it. It
does not know what the sockets are for.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, Self

from sightline.errors import GraphError
from sightline.file_locks import leads_to, try_lock
from sightline.settings import Settings
from sightline.transport.run_note import RUN_ID, RunNote, reap_stray_segments, segment_prefix
from sightline.transport.segment import unlink_segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunDirectory", "default_base", "reap_dead_runs"]

_MAX_PATH_BYTES = 100  # sockaddr_un.sun_path holds 108 on Linux and 104 elsewhere


def default_base(settings: Settings | None = None) -> Path:
    """Return the folder of runs that the settings name; make it if it is not there.

    Raises:
        GraphError: It cannot be made, belongs to another user, or is open to others.
    """
    base = (settings or Settings()).runtime_dir
    _prepare(base)
    return base


def reap_dead_runs(base: Path) -> list[str]:
    """Remove the folders and segments of runs whose owner has died without removing them.

    Args:
        base: A folder of runs; folders in it that are no runs are left alone.

    Returns:
        The ids of the runs that were removed.
    """
    dead = []
    for path in sorted(base.iterdir()):
        if not RUN_ID.fullmatch(path.name):
            continue
        lock = _try_lock(path)
        if lock is not None:
            _remove(path)
            os.close(lock)
            dead.append(path.name)
    return dead


class RunDirectory:
    """The folder of a run of this process; make it with `create`. A context manager.

    Attributes:
        run_id: Name of the run: 12 hexadecimal digits.
        path: The folder, mode 0700.
    """

    def __init__(self, path: Path, lock: int, note: RunNote) -> None:
        """For `create`."""
        self.run_id = path.name
        self.path = path
        self._lock: int | None = lock
        self._note = note

    @classmethod
    def create(cls, base: Path) -> Self:
        """Make a folder for a run of this process, after removing what dead runs left.

        Args:
            base: The folder of runs; made if it is not there.

        Raises:
            GraphError: The base belongs to another user, is open to others or cannot be used.
        """
        _prepare(base)
        try:
            reap_dead_runs(base)
            reap_stray_segments()
            while True:
                path = base / secrets.token_hex(6)
                path.mkdir(mode=0o700)
                # Before it is locked, another process may take it for a dead run's and remove it.
                if (lock := _try_lock(path)) is not None:
                    return cls(path, lock, _write_note(path, lock))
        except OSError as error:
            raise GraphError(f"a run cannot be started in {base}: {error}") from error

    @property
    def segment_prefix(self) -> str:
        """What the names of all segments of the run start with."""
        return segment_prefix(self.run_id)

    def socket_path(self, name: str) -> str:
        """Return the path of a socket of the run.

        Raises:
            GraphError: The path is too long for a socket.
        """
        path = str(self.path / name)
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            raise GraphError(
                f"{path} is too long for the path of a socket; "
                "set SIGHTLINE_RUNTIME_DIR to a shorter one"
            )
        return path

    def close(self) -> None:
        """Remove the folder with its sockets, and all segments of the run."""
        if self._lock is not None:
            _remove(self.path)
            self._note.remove()
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prepare(base: Path) -> None:
    """Make sure that a folder is there and that nobody else can put anything into it."""
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        base.mkdir(mode=0o700, exist_ok=True)
        status = base.lstat()
    except OSError as error:
        raise GraphError(
            f"the folder of runs {base} cannot be made: {error}; "
            "set SIGHTLINE_RUNTIME_DIR to another"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise GraphError(
            f"the folder of runs {base} belongs to user {status.st_uid} or is a link; "
            "set SIGHTLINE_RUNTIME_DIR to another"
        )
    if status.st_mode & 0o077:
        raise GraphError(
            f"the folder of runs {base} is open to others (mode {stat.S_IMODE(status.st_mode):o}); "
            "chmod 700 it, or set SIGHTLINE_RUNTIME_DIR to another"
        )


def _try_lock(path: Path) -> int | None:
    """Lock the folder of a run; None if its owner holds it, or it is gone or no folder.

    The kernel frees the lock when the last process that inherited the descriptor is gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if try_lock(descriptor) and leads_to(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _write_note(path: Path, lock: int) -> RunNote:
    """Note a run beside its segments; remove it if that cannot be done.

    Raises:
        OSError: It cannot.
    """
    try:
        return RunNote.write(path)
    except OSError:
        _remove(path)
        os.close(lock)
        raise


def _remove(path: Path) -> None:
    """Remove a run; its folder last, so that what is left is found again if this is cut short."""
    unlink_segments(segment_prefix(path.name))
    shutil.rmtree(path, ignore_errors=True)
