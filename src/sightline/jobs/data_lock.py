"""A data folder belongs to one service at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sightline.errors import SightlineError
from sightline.file_locks import try_lock

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = ["DataFolderLock", "FolderInUseError"]


class FolderInUseError(SightlineError, RuntimeError):
    """Another service works on the same data folder."""


class DataFolderLock:
    """Holds a data folder until it is closed, or the process is dead, however it died.

    Args:
        folder: The data folder; made if it is not there.

    Raises:
        FolderInUseError: Another service has it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Not inherited by other programs, so that no worker holds it longer than the service.
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not try_lock(self._file):
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.close()
            raise FolderInUseError(
                f"the data folder {folder} is in use by another service (process {holder}); "
                "stop that one, or choose another folder"
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)

    def close(self) -> None:
        """Let the folder go; does nothing if it is closed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
