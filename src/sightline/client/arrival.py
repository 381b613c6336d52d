"""A result on its way to a file, over as many connections as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.client.sources import part_of
from sightline.errors import OutputError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType
    from typing import Self

    import httpx

__all__ = ["Arrival"]

_PARTIAL = 206


class Arrival:
    """Gathers a result beside the place where it is to be; a context manager.

    A connection that broke is made up for by another one that asks for the rest. Nothing is left
    behind if `finish` is not reached.

    Args:
        to: The file to write; it appears when it is complete.
        on_progress: Told the bytes that have arrived and their final number, if known.

    Raises:
        OutputError: From the whole block, if the file cannot be written.
    """

    def __init__(
        self, to: str | PathLike[str], on_progress: Callable[[int, int | None], Any] | None
    ) -> None:
        self._path = Path(to)
        self._part = part_of(self._path)
        self._on_progress = on_progress
        self._etag = ""
        self._size: int | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise self._cannot_write(error) from error

    @property
    def received(self) -> int:
        """How many bytes are there; fewer than before when it had to begin anew."""
        return self._file.tell()

    @property
    def headers(self) -> dict[str, str]:
        """What to ask with: for what is missing, if the result is still the same."""
        if not self._etag or not self._file.tell():
            return {}
        return {"range": f"bytes={self._file.tell()}-", "if-range": self._etag}

    def begin(self, answer: httpx.Response) -> None:
        """Take note of the head of an answer that is a success."""
        if answer.status_code != _PARTIAL:
            self._file.seek(0)
            self._file.truncate()
        self._etag = answer.headers.get("etag", "")
        length = answer.headers.get("content-length")
        self._size = None if length is None else self._file.tell() + int(length)

    def take(self, data: bytes) -> None:
        """Append what comes next."""
        self._file.write(data)
        if self._on_progress is not None:
            self._on_progress(self._file.tell(), self._size)

    def finish(self) -> Path:
        """Put the file in its place.

        Raises:
            ServiceError: Something is missing from it.
        """
        if self._size is not None and self._file.tell() != self._size:
            raise ServiceError(f"{self._path.name} has not arrived whole; try it again")
        self._file.close()
        self._part.replace(self._path)
        return self._path

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {error.strerror or error}")
