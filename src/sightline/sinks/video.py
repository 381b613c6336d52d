"""The frames as an H.264 video that plays in a browser."""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.sinks.file import FileSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.frame import Frame, Image
    from sightline.sinks.file import Writer
    from sightline.stream import StreamInfo

__all__ = ["VideoFile"]

_CLOCK_HZ = 90_000
_UNKNOWN_RATE = Fraction(25)
_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
_BT709 = 1
_LIMITED_RANGE = 1


class VideoFile(FileSink):
    """Writes the images as MP4: H.264, yuv420p, index in front; colours are BT.709 and say so.

    Every frame keeps its presentation time, to 1/90,000 s and counted from the first frame, so
    that variable frame rates play as they were. Where a time does not increase, the frame comes
    1/90,000 s after the one before. An odd width or height is padded by one pixel that repeats
    the edge. Images of another size than the first are scaled to it.

    A video has at least one frame: after `close()` without any, there is no file under its name.
    Memory grows by the index of the video alone, under 100 bytes per frame.

    Args:
        path: The file to write.
        crf: Constant rate factor of x264, 1 (best) to 51.
        preset: Speed of x264, `ultrafast` to `veryslow`.
        threads: Threads of the encoder; 0 for as many as it likes. One leaves the other cores to
            inference.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        crf: int = 23,
        preset: str = "veryfast",
        threads: int = 1,
    ) -> None:
        super().__init__(path)
        if not 1 <= crf <= 51:
            raise ValueError(f"crf must be from 1 to 51, but is {crf}")
        if preset not in _PRESETS:
            raise ValueError(f"preset must be one of {', '.join(_PRESETS)}, but is {preset!r}")
        if threads < 0:
            raise ValueError(f"threads must be 0 or more, but is {threads}")
        self.crf = crf
        self.preset = preset
        self.threads = threads

    def _start(self, part: Path, stream: StreamInfo) -> Writer:
        part.open("wb").close()  # the encoder opens it too late to tell the caller in time
        return _VideoWriter(part, self, stream.frame_rate or _UNKNOWN_RATE)

    def close(self) -> None:
        """Complete the video; without frames, remove what was there under its name.

        Raises:
            OutputError: The file cannot be completed; the output is discarded.
        """
        if isinstance(self._writer, _VideoWriter) and self._writer.is_empty:
            try:
                self.path.unlink(missing_ok=True)
            except OSError as error:
                raise self._give_up(error) from error
            self.discard()
        super().close()


class _VideoWriter:
    def __init__(self, part: Path, settings: VideoFile, frame_rate: Fraction) -> None:
        self._part = part
        self._settings = settings
        self._frame_rate = frame_rate
        self._encoder: _Encoder | None = None

    @property
    def is_empty(self) -> bool:
        """No frame has been added."""
        return self._encoder is None

    def add(self, frame: Frame) -> None:
        with _errors_of_ffmpeg():
            if self._encoder is None:
                self._encoder = _Encoder(self._part, frame, self._settings, self._frame_rate)
            self._encoder.encode(frame)

    def finish(self) -> None:
        with _errors_of_ffmpeg():
            if self._encoder is not None:
                self._encoder.flush()
                self._encoder.close()

    def abandon(self) -> None:
        with _errors_of_ffmpeg():
            if self._encoder is not None:
                self._encoder.close()


class _Encoder:
    """An encoder and its container, made for the size of the first frame."""

    def __init__(self, part: Path, first: Frame, settings: VideoFile, rate: Fraction) -> None:
        import av
        from av.video.reformatter import Interpolation, VideoReformatter

        self._size = (first.width, first.height)
        self._start_s = first.pts * first.time_base
        self._last_pts = -1
        # One converter for all frames: making one costs as much as converting a small frame.
        # Without exact rounding gray comes out tinted.
        self._convert = partial(
            VideoReformatter().reformat,
            format="yuv420p",
            dst_colorspace=_BT709,
            dst_color_range=_LIMITED_RANGE,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )
        # An absolute path: in a relative one FFmpeg takes what is before a colon for a protocol.
        self._container = av.open(
            str(part.absolute()), "w", format="mp4", container_options={"movflags": "+faststart"}
        )
        self._stream = self._container.add_stream(
            "libx264",
            rate=rate.limit_denominator(1001),
            width=first.width + first.width % 2,
            height=first.height + first.height % 2,
            time_base=Fraction(1, _CLOCK_HZ),
            # With B-frames, MP4 cuts off the end of a video of variable frame rate.
            options={"crf": str(settings.crf), "preset": settings.preset, "bf": "0"},
        )
        codec = self._stream.codec_context
        codec.thread_count = settings.threads
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED_RANGE

    def encode(self, frame: Frame) -> None:
        import av

        pts = round((frame.pts * frame.time_base - self._start_s) * _CLOCK_HZ)
        self._last_pts = max(pts, self._last_pts + 1)
        pixels = av.VideoFrame.from_numpy_buffer(self._fit(frame.image), format="bgr24")
        picture = self._convert(pixels)
        picture.pts = self._last_pts
        picture.time_base = Fraction(1, _CLOCK_HZ)
        self._container.mux(self._stream.encode(picture))

    def _fit(self, image: Image) -> Image:
        """Bring an image to three channels and the size of the video."""
        pixels: NDArray[Any] = image
        if image.ndim == 2:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        if (image.shape[1], image.shape[0]) != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        odd_width, odd_height = (side % 2 for side in self._size)
        if odd_width or odd_height:
            pixels = cv2.copyMakeBorder(
                pixels, 0, odd_height, 0, odd_width, borderType=cv2.BORDER_REPLICATE
            )
        return np.ascontiguousarray(pixels, np.uint8)

    def flush(self) -> None:
        """Encode what the encoder has held back."""
        self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        """Write the index and release the file; does nothing the second time."""
        self._container.close()


@contextmanager
def _errors_of_ffmpeg() -> Iterator[None]:
    from av import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error
