"""Where the files of jobs are kept so that every machine of a service finds them: the protocol.

By default all machines have one data folder, and files are where they are: `FolderArtifacts`. With
a remote store, each machine has a data folder of its own, and files that others need are put into
the store, under the path that they have in the folder; see `remote_artifacts`. Nothing is renamed
there: the token of the lease that counts is on the rows of the job.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = [
    "Artifact",
    "ArtifactError",
    "Artifacts",
    "FolderArtifacts",
    "remove_here",
    "remove_or_log",
    "version_of",
]

_log = logging.getLogger(__name__)


class ArtifactError(SightlineError, OSError):
    """The store of the files cannot be reached, refuses, or is full.

    The message names the store without credentials. `errno` is set where the cause has one.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that is kept.

    Attributes:
        path: The path that it has in the data folder, whether or not it is there.
        size_bytes: Its size.
        modified_s: When it was put, in seconds since 1970; None where the store does not tell.
    """

    path: Path
    size_bytes: int
    modified_s: float | None


def _nothing() -> None:
    pass


class Artifacts(Protocol):
    """Keeps files of jobs. All paths lie in the data folder; any thread may call all methods.

    `tick` is called again and again while bytes move or are waited for; what it raises ends the
    transfer, and no part of the file is seen.

    Attributes:
        where: The store, for people; without credentials.
        is_remote: Files must be put and fetched; otherwise all see the same folder.
    """

    where: str
    is_remote: bool

    def check(self) -> None:
        """Make sure that the store can be used, by writing and removing a small file.

        Raises:
            ArtifactError: It cannot.
        """

    def using(self, job_id: str) -> AbstractContextManager[None]:
        """Keep the local files of a job while the block runs."""

    def put(
        self, path: Path, *, kept_as: Path | None = None, tick: Callable[[], object] = _nothing
    ) -> None:
        """Let all machines have a file; one that is there is replaced, all at once.

        Args:
            path: The file.
            kept_as: The path under which it is to be found; None: its own.
            tick: Called meanwhile.

        Raises:
            ArtifactError: It cannot be put.
        """

    def fetch(
        self,
        path: Path,
        *,
        kept_as: Path | None = None,
        size_bytes: int | None = None,
        tick: Callable[[], object] = _nothing,
    ) -> bool:
        """Make a file be in its place; one that is there is not fetched again.

        Args:
            path: Its place.
            kept_as: The path under which it was put; None: its own.
            size_bytes: How large it is known to be; a file of another size is not the one.
            tick: Called meanwhile.

        Returns:
            Whether it is there; False if nobody has put it.

        Raises:
            ArtifactError: It cannot be fetched.
        """

    def version(self, path: Path) -> str | None:
        """Give a name to the content that was put last, fit for a file's name; None: there is none.

        Raises:
            ArtifactError: The store does not tell.
        """

    def find(self, folder: Path) -> list[Artifact]:
        """List the files that are kept below a folder.

        Raises:
            ArtifactError: The store does not tell.
        """

    def folders(self, folder: Path) -> list[str]:
        """Name the folders right below a folder, and nothing deeper.

        Raises:
            ArtifactError: The store does not tell.
        """

    def remove(self, path: Path) -> None:
        """Remove a file or a folder, here and from the store; does nothing if there is none.

        Raises:
            ArtifactError: The store does not do it; the local files are removed.
        """

    def trim(self) -> None:
        """Keep to the room that copies on this machine may take."""

    def close(self) -> None:
        """Release connections; they are made again when needed."""


class FolderArtifacts:
    """One data folder that all machines have: files are where they are.

    Attributes:
        where: See `Artifacts`.
        is_remote: False.
    """

    where = "the data folder"
    is_remote = False

    def check(self) -> None:
        """Do nothing: the service has checked its folder."""

    def using(self, job_id: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Do nothing: no file is removed but on purpose."""
        return nullcontext()

    def put(
        self, path: Path, *, kept_as: Path | None = None, tick: Callable[[], object] = _nothing
    ) -> None:
        """Do nothing: others see the file. Under another path it is copied."""
        del tick
        if kept_as is not None:
            part = kept_as.with_name(f"{kept_as.name}.part")
            shutil.copyfile(path, part)
            part.replace(kept_as)

    def fetch(
        self,
        path: Path,
        *,
        kept_as: Path | None = None,
        size_bytes: int | None = None,
        tick: Callable[[], object] = _nothing,
    ) -> bool:
        """Tell whether the file is there."""
        del kept_as, size_bytes, tick
        return path.exists()

    def version(self, path: Path) -> str | None:
        """Name the content by its size and the time when it was written."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        return version_of(stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def find(self, folder: Path) -> list[Artifact]:
        """List the files below a folder."""
        return [
            Artifact(path=path, size_bytes=stat.st_size, modified_s=stat.st_mtime)
            for path in folder.rglob("*")
            if path.is_file() and (stat := path.stat())
        ]

    def folders(self, folder: Path) -> list[str]:
        """Name the folders right below a folder."""
        return [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []

    def remove(self, path: Path) -> None:
        """Remove a file or a folder."""
        remove_here(path)

    def trim(self) -> None:
        """Do nothing: there are no copies."""

    def close(self) -> None:
        """Do nothing."""


def remove_here(path: Path) -> None:
    """Remove a local file or folder; does nothing if there is none."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_or_log(artifacts: Artifacts, path: Path) -> None:
    """Remove what nobody needs; what the store does not remove now, is tidied up later."""
    try:
        artifacts.remove(path)
    except ArtifactError as error:
        _log.warning("files are left, to be removed later: %s", error)


def version_of(*facts: object) -> str:
    """Make a version of what tells contents apart.

    >>> len(version_of(1, 2))
    16
    """
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
