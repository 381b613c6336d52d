"""The seam between pipelines and where results go, and the way files come to be whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.stream import StreamInfo

__all__ = ["Sink", "StreamSinks"]


@runtime_checkable
class Sink(Protocol):
    """Takes the frames of one stream in order.

    All methods are called by one thread at a time. Files are written as `NAME.part` and renamed
    in `close()`, so that a file under its own name is complete and valid. Where the disk fails,
    the output is discarded; where a frame is refused, that of the frames before it remains.
    """

    def open(self, stream: StreamInfo) -> None:
        """Start output for a stream.

        Raises:
            OutputError: The output cannot be written.
            MissingExtraError: An optional dependency of the format is not installed.
        """

    def write(self, frame: Frame) -> None:
        """Take the next frame; frames come in order, but numbers may be missing.

        Raises:
            OutputError: The output cannot be written, or cannot express the frame.
        """

    def close(self) -> None:
        """Complete the output: valid for all frames written so far. Safe to call twice.

        Raises:
            OutputError: The output cannot be completed.
        """

    def discard(self) -> None:
        """Give the output up and leave nothing of it behind. Does nothing after `close()`."""


@runtime_checkable
class StreamSinks(Protocol):
    """Makes the sinks of a run that has several streams: one for each.

    If it has a method `close`, that is called at the end of the run, to release what they share.
    """

    def for_stream(self, stream: StreamInfo) -> Sink:
        """Make the sink for one stream; itself, if it can take only one stream."""
