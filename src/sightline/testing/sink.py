"""A sink that keeps frames in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.stream import StreamInfo

__all__ = ["ListSink"]


class ListSink:
    """Keeps the frames of one stream for a test to look at.

    Attributes:
        stream: The stream of the last `open()`; None before.
        frames: The frames written since.
        is_open: Whether frames can be written.
    """

    def __init__(self) -> None:
        self.stream: StreamInfo | None = None
        self.frames: list[Frame] = []
        self.is_open = False

    def open(self, stream: StreamInfo) -> None:
        """Start an empty list."""
        if self.is_open:
            raise RuntimeError("ListSink is open already")
        self.stream = stream
        self.frames = []
        self.is_open = True

    def write(self, frame: Frame) -> None:
        """Append the frame."""
        if not self.is_open:
            raise RuntimeError("ListSink is not open")
        self.frames.append(frame)

    def close(self) -> None:
        """Keep the frames."""
        self.is_open = False

    def discard(self) -> None:
        """Drop the frames, unless closed already."""
        if self.is_open:
            self.frames = []
        self.is_open = False
