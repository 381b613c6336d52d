"""How output files come to be whole: written beside their place, moved there when complete.

    open()  ──►  NAME.part  ──close()──►  NAME
                     └──discard(), or an error of the disk──►  nothing

What every sink that writes a file shares is here; the formats are in modules of their own.
"""

from __future__ import annotations

import copy
import errno
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sightline.errors import OutputError, SightlineError
from sightline.sinks.part import PartFile

if TYPE_CHECKING:
    from os import PathLike
    from typing import Self, TextIO

    from sightline.frame import Frame
    from sightline.stream import StreamInfo

__all__ = ["FileSink", "TextWriter", "Writer"]


_STREAM = "{stream}"
"""What the name of the stream replaces in a path."""


class Writer(Protocol):
    """The content of one file in the making; all methods may raise `OSError`."""

    def add(self, frame: Frame) -> None:
        """Take the next frame."""

    def finish(self) -> None:
        """Complete the file, valid for all frames so far, and release everything."""

    def abandon(self) -> None:
        """Release everything that `finish` has not released; the file will not be used."""


class FileSink(ABC):
    """A sink that writes one file; a format says in `_start` what goes into it.

    `open()` creates the parent folders. `close()` replaces a file that is there already. A closed
    sink may be opened again. Where the path contains `{stream}`, a runner makes a sink per stream.

    Args:
        path: The file to write.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.name:
            raise ValueError(f"path must name a file, but is {str(path)!r}")
        self._part: PartFile | None = None
        self._writer: Writer | None = None

    def for_stream(self, stream: StreamInfo) -> Self:
        """Copy with the name of the stream instead of `{stream}` in the path; else itself."""
        path = str(self.path)
        if _STREAM not in path:
            return self
        made = copy.copy(self)
        made.path = Path(path.replace(_STREAM, stream.name))
        return made

    @abstractmethod
    def _start(self, part: Path, stream: StreamInfo) -> Writer:
        """Overwrite the unfinished file, which is there; an error must leave nothing open."""

    def open(self, stream: StreamInfo) -> None:
        """Create the parent folders and the unfinished file.

        Raises:
            OutputError: The file cannot be written, or another run or sink is writing it.
            MissingExtraError: An optional dependency of the format is not installed.
        """
        if self._writer is not None:
            raise RuntimeError(f"{type(self).__name__} of {self.path} is open already")
        try:
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part = PartFile(self.path)
            self._writer = self._start(self._part.path, stream)
        except OSError as error:
            raise self._give_up(error) from error
        finally:
            if self._writer is None:  # an extra that is missing, or Ctrl-C
                self._remove()

    def write(self, frame: Frame) -> None:
        """Add a frame.

        Raises:
            OutputError: The file cannot be written, and the output is discarded; or the format
                cannot express the frame, and what was written before remains.
        """
        if self._writer is None:
            raise RuntimeError(f"{type(self).__name__} of {self.path} is not open")
        try:
            self._writer.add(frame)
        except SightlineError:
            raise
        except OSError as error:
            raise self._give_up(error) from error

    def close(self) -> None:
        """Complete the file and move it to its place; does nothing if not open.

        Raises:
            OutputError: The file cannot be completed; the output is discarded.
        """
        if self._writer is None or self._part is None:
            return
        try:
            self._writer.finish()
            self._part.move()
        except OSError as error:
            raise self._give_up(error) from error
        finally:
            self._remove()

    def discard(self) -> None:
        """Remove the unfinished file; does nothing if not open."""
        if self._writer is not None:
            self._remove()

    def _give_up(self, error: OSError) -> OutputError:
        self._remove()
        return OutputError(f"cannot write {self.path}: {error.strerror or error}")

    def _remove(self) -> None:
        writer, self._writer = self._writer, None
        part, self._part = self._part, None
        with suppress(OSError):
            if writer is not None:
                writer.abandon()
        with suppress(OSError):
            if part is not None:
                part.release()


class TextWriter:
    """The text of an unfinished file, in UTF-8; formats derive from it.

    A name that came out of the file system may hold bytes that are no UTF-8; they are written as
    backslash escapes, which JSON reads back as they were.
    """

    def __init__(self, part: Path) -> None:
        self._text: TextIO = part.open(
            "w", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1 << 16
        )

    def finish(self) -> None:
        """Flush and close the file."""
        self._text.close()

    def abandon(self) -> None:
        """Close the file, whatever it holds."""
        self._text.close()
