"""The copies on this machine of files of a remote store: who uses them, and how much there is.

    locks/JOB        shared by those who use the files of a job; its time says when they did last;
                     goes with the files, or at the next trim if somebody else has removed them
    fetching/NAME    a file that is being fetched; its lock says that somebody does

The unit is a job. Nobody using it, everything in its folder has been put into the store, or is
garbage. All processes on one data folder agree by locks, which end with whoever holds them.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.file_locks import leads_to, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LocalCache"]

_PAUSE_S = 0.1
_MOMENT_S = 0.005
_SHARE = 10
"""Looking through the copies takes at most this part of the time."""
_STALE_S = 3600.0
"""What was not written to for so long, and is not locked, nobody fetches any more."""


class LocalCache:
    """The copies below a data folder. Any thread and process may use it.

    Args:
        root: The data folder.
        most_bytes: Room that the files of jobs may take before those go that were not used for
            the longest time. What is in use stays, even if it is more.
    """

    def __init__(self, root: Path, *, most_bytes: int) -> None:
        if most_bytes < 0:
            raise ValueError(f"a cache cannot be bounded by {most_bytes} bytes")
        self._jobs = root / "jobs"
        self._locks = root / "locks"
        self._fetching = root / "fetching"
        self._most_bytes = most_bytes
        self._trimming = threading.Lock()
        self._next_trim_s = 0.0

    @contextmanager
    def using(self, job_id: str) -> Iterator[None]:
        """Keep the files of a job while the block runs."""
        while (descriptor := _locked(self._locks / job_id, shared=True)) is None:
            time.sleep(_MOMENT_S)  # its files are being removed
        try:
            os.utime(descriptor)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def fetching(self, name: str, *, tick: Callable[[], object]) -> Iterator[Path]:
        """Give the file to fetch something into; who comes second, waits.

        The file may have part of the content, of somebody who was killed. It is removed after the
        block, unless it was moved to its place by then.

        Args:
            name: What is fetched; slashes do not matter.
            tick: Called while somebody else fetches the same.
        """
        path = self._fetching / name.replace("/", "~")
        while (descriptor := _locked(path)) is None:
            tick()
            time.sleep(_PAUSE_S)
        try:
            yield path
        finally:
            if leads_to(path, descriptor):
                path.unlink(missing_ok=True)
            os.close(descriptor)

    def trim(self) -> None:
        """Remove the jobs that were not used for the longest time, until there is room enough.

        Does nothing if it was done just now.
        """
        if time.monotonic() < self._next_trim_s or not self._trimming.acquire(blocking=False):
            return
        try:
            started_s = time.monotonic()
            self._trim()
            now_s = time.monotonic()
            self._next_trim_s = now_s + _SHARE * (now_s - started_s)
        finally:
            self._trimming.release()

    def _trim(self) -> None:
        found = sorted((self._last_used_s(path.name), path) for path in _entries(self._jobs))
        sizes = {path: _size_on_disk(path) for _, path in found}
        total = sum(sizes.values())
        for _, path in found:
            if total <= self._most_bytes:
                break
            if self._drop(path):
                total -= sizes[path]
        for lock in _entries(self._locks):
            self._drop_unneeded(lock)
        for path in _entries(self._fetching):
            self._drop_stale(path)

    def _last_used_s(self, job_id: str) -> float:
        for path in (self._locks / job_id, self._jobs / job_id):
            try:
                return path.stat().st_mtime
            except FileNotFoundError:
                continue
        return 0.0

    def _drop(self, folder: Path) -> bool:
        """Remove the files of a job; False if somebody uses them."""
        lock = self._locks / folder.name
        descriptor = _locked(lock)
        if descriptor is None:
            return False
        try:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        return True

    def _drop_unneeded(self, lock: Path) -> None:
        """Remove the lock of a job whose files somebody else has removed."""
        folder = self._jobs / lock.name
        if folder.exists() or (descriptor := _locked(lock)) is None:
            return
        try:
            if not folder.exists():  # nor was it made before we had the lock
                lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _drop_stale(self, path: Path) -> None:
        try:
            is_stale = time.time() - path.stat().st_mtime > _STALE_S
        except FileNotFoundError:
            return
        if is_stale and (descriptor := _locked(path)) is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _locked(path: Path, *, shared: bool = False) -> int | None:
    """Open a file, made if need be, and lock it; None if somebody else has it.

    Whoever locks a file exclusively may remove it; then another one counts by the time that we
    have ours.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        is_locked = try_lock(descriptor, shared=shared)
        if is_locked and leads_to(path, descriptor):
            return descriptor
        os.close(descriptor)
        if not is_locked:
            return None


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _size_on_disk(folder: Path) -> int:
    total = 0
    for parent, folders, files in os.walk(folder):  # which bears that folders go meanwhile
        for name in (*folders, *files):
            try:
                total += Path(parent, name).stat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total
