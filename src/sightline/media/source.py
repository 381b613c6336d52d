"""The seam between pipelines and where frames come from. It knows no container, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sightline.errors import MediaError
from sightline.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.stream import Losses, StreamInfo

__all__ = ["Source", "frames_of"]


@runtime_checkable
class Source(Protocol):
    """A stream of frames that can be read once, in order.

    A source is open when it is constructed: what cannot be opened raises `MediaError` there, so
    that nothing else has been started. It is read by one thread, which may be another one than
    the thread that constructed it. `close()` may be called at any time, by any thread, twice.
    """

    @property
    def info(self) -> StreamInfo:
        """The stream as announced before its first frame."""

    @property
    def losses(self) -> Losses:
        """What could not be delivered so far."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in presentation order, `seq` from 0 without gaps; may block.

        Raises:
            MediaError: The source failed for good (not: a damaged frame, which is a loss).
        """

    def close(self) -> None:
        """Release files, devices and connections; a running `frames()` ends soon after."""


def frames_of(source: Source) -> Iterator[Frame]:
    """Yield the frames of a source, and see to it that they are some.

    Raises:
        MediaError: It yields something else, or failed for good.
    """
    frame: Any
    for frame in source.frames():
        if not isinstance(frame, Frame):
            kind = type(frame).__name__
            raise MediaError(f"source {source.info.name!r} yielded {kind}, not a frame")
        yield frame
