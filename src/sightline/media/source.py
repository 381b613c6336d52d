"""The seam between pipelines and where frames come from. It knows no container, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.frame import Frame
    from sightline.stream import Losses, StreamInfo

__all__ = ["Source"]


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
