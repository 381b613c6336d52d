"""A source that reads a container with PyAV: a file, a network stream or a device.

It owns the container and everything about threads; how the container was opened, and whether it
may be, is decided before.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

from sightline.errors import MediaError
from sightline.frame import Frame
from sightline.media.decoding import PictureReader
from sightline.media.excerpt import Excerpt
from sightline.media.facts import (
    extent,
    frame_rate,
    has_no_end,
    main_video_stream,
    promised_end_s,
    time_base,
)
from sightline.media.failures import cause
from sightline.media.options import range_text
from sightline.media.pixels import PixelConverter
from sightline.media.section import EntryLostError
from sightline.stream import StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import VideoFrame
    from av.container import InputContainer

    from sightline.frame import Image
    from sightline.media.excerpt import PlacedPicture
    from sightline.media.options import SourceOptions

__all__ = ["ContainerSource", "Origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a container comes from.

    Attributes:
        label: How messages call it; without secrets.
        name: Name of the stream; safe as a file name.
        live: It is a network stream or a device: reading waits, and can fail for good.
        missing_bytes: How much shorter the file is than its structure says.
    """

    label: str
    name: str
    live: bool = False
    missing_bytes: int = 0


class ContainerSource:
    """The frames of the main video stream of a container.

    Images are upright (H, W, 3) BGR in the size in which they are stored, which may change from
    one frame to the next; pixels are not made square. Timestamps are those of the container,
    moved only where they are missing or do not increase.

    Args:
        container: Open; the source closes it, also when the constructor raises.
        origin: Where it comes from.
        options: What to read of it, and how long to wait.

    Raises:
        MediaError: There is no video stream, or no frame of it can be decoded.
        EntryLostError: Decoding cannot start at the entry point of the section in the options.
    """

    def __init__(
        self, container: InputContainer, *, origin: Origin, options: SourceOptions
    ) -> None:
        self._container = container
        self._origin = origin
        self._options = options
        self._lock = threading.Lock()  # held while FFmpeg uses the container
        self._closing = False
        self._started = False
        self._converter = PixelConverter()
        try:
            with self._labelled():
                self._open()
        except BaseException:
            container.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in presentation order, `seq` from 0 without gaps; may block.

        Raises:
            MediaError: The connection or device failed, or the source was read before.
        """
        if self._started:
            raise MediaError(f"{self._origin.label} was read already; open it again")
        self._started = True
        return self._frames()

    def close(self) -> None:
        """Close the container: at once, or as soon as another thread that reads it comes back."""
        self._closing = True
        if self._lock.acquire(blocking=False):
            try:
                self._container.close()
            finally:
                self._lock.release()

    def _open(self) -> None:
        """Read as far as the first frame, because only that shows whether there is one."""
        options = self._options
        stream = main_video_stream(self._container, max_pixels=options.max_pixels)
        seconds_per_tick = time_base(stream)
        rate = frame_rate(stream)
        self._promised_s = promised_end_s(self._container, stream)
        self._reader = PictureReader(
            self._container,
            stream,
            time_base=seconds_per_tick,
            live=self._origin.live,
            max_pixels=options.max_pixels,
        )
        self.losses = self._reader.log.losses
        self._excerpt = Excerpt(self._reader, time_base=seconds_per_tick, frame_rate=rate)
        if options.section is not None and not self._excerpt.confine(options.section):
            raise EntryLostError("decoding cannot start at the entry point of the section")
        self._first = self._read_first("no frame of it can be decoded")
        if options.has_range:
            self._excerpt.narrow(self._first, options.start_s, options.end_s)
            self._first = self._read_first(
                f"it has no frame {range_text(options.start_s, options.end_s)}"
            )
        width, height = stream.width, stream.height
        if self._first:
            height, width = self._convert(self._first[0][0]).shape[:2]
        frames, duration_s = extent(self._container, stream, options)
        self.info = StreamInfo(
            name=self._origin.name,
            width=width,
            height=height,
            time_base=seconds_per_tick,
            frame_rate=rate,
            frame_count=frames,
            duration_s=duration_s,
            live=self._origin.live and has_no_end(self._container, duration_s),
        )

    def _read_first(self, nothing: str) -> list[PlacedPicture]:
        """Read until there is a picture; fail with `nothing` if there is none.

        A section may have lost all of its frames.
        """
        started_s = time.monotonic()
        while not (placed := self._advance()):
            if placed is None and self._options.section is not None:
                return []
            if placed is None:
                raise MediaError(nothing)
            if self._origin.live and time.monotonic() - started_s > self._options.timeout_s:
                raise MediaError(f"{nothing} within {self._options.timeout_s:g} s")
        return placed

    def _frames(self) -> Iterator[Frame]:
        placed: list[PlacedPicture] | None = self._first
        self._first = []
        seq = 0
        while placed is not None:
            for picture, pts in placed:
                if self._closing:
                    return
                with self._labelled():
                    frame = self._frame(picture, pts, seq)
                yield frame
                seq += 1
            with self._labelled():
                placed = self._advance()

    def _advance(self) -> list[PlacedPicture] | None:
        """Read one packet; return the pictures that are ready, or None after the last."""
        try:
            with self._lock:
                if self._closing:
                    return None
                placed = self._excerpt.read()
                if placed is None:
                    self._check_end()
                return placed
        except av.FFmpegError as error:
            if self._closing:
                return None
            raise MediaError(cause(error, timeout_s=self._options.timeout_s)) from None
        finally:
            if self._closing:  # close() came while the lock was taken
                self.close()

    def _check_end(self) -> None:
        """Find out whether the end of the data is the end of the stream."""
        missing = self._origin.missing_bytes
        if self._excerpt.cut:
            return
        if missing:
            self._reader.log.truncated(
                f"the file is truncated: at least {missing} bytes are missing"
            )
        elif self._promised_s is not None and self._excerpt.ends_before(self._promised_s):
            whole = "" if math.isinf(self._promised_s) else f" of {self._promised_s:.2f} s"
            self._reader.log.truncated(f"the stream ended at {self._excerpt.last_s:.2f} s{whole}")

    def _frame(self, picture: VideoFrame, pts: int, seq: int) -> Frame:
        if picture.is_corrupt:
            self._reader.log.frame_damaged(float(pts * self.info.time_base))
        return Frame(
            image=self._convert(picture),
            seq=seq,
            pts=pts,
            time_base=self.info.time_base,
            stream=self._origin.name,
        )

    def _convert(self, picture: VideoFrame) -> Image:
        try:
            return self._converter.convert(picture)
        except av.FFmpegError as error:
            raise MediaError(f"its colours cannot be converted to BGR: {cause(error)}") from None

    @contextmanager
    def _labelled(self) -> Iterator[None]:
        """Name the source in an error."""
        try:
            yield
        except MediaError as error:
            raise type(error)(f"cannot read {self._origin.label}: {error}") from None
