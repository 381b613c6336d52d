"""What a container says about its main video stream, made safe to rely on."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import av
from av.stream import Disposition

from sightline.errors import MediaError

if TYPE_CHECKING:
    from fractions import Fraction

    from av import VideoStream
    from av.container import InputContainer

    from sightline.media.options import SourceOptions

__all__ = [
    "extent",
    "frame_rate",
    "has_no_end",
    "main_video_stream",
    "promised_end_s",
    "time_base",
]

_MOST_FRAMES_PER_SECOND = 1000
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def main_video_stream(container: InputContainer, *, max_pixels: int) -> VideoStream:
    """Choose the stream to read; a cover picture is none.

    Raises:
        MediaError: There is none that can be decoded; the message is the cause alone.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise MediaError("it has no video stream")
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if stream.codec_context is None:
        raise MediaError("there is no decoder for its video stream")
    if stream.width * stream.height > max_pixels:
        size = f"{stream.width} x {stream.height}"
        raise MediaError(f"its pictures of {size} have more than max_pixels={max_pixels}")
    return stream


def frame_rate(stream: VideoStream) -> Fraction | None:
    """Nominal frames per second; None where the container does not know."""
    rate = stream.guessed_rate or stream.average_rate
    return rate if rate and 0 < rate <= _MOST_FRAMES_PER_SECOND else None


def time_base(stream: VideoStream) -> Fraction:
    """Seconds per tick of the timestamps.

    Raises:
        MediaError: The container states none; the message is the cause alone.
    """
    if not stream.time_base:
        raise MediaError("its video stream has no time base")
    return stream.time_base


def extent(
    container: InputContainer, stream: VideoStream, options: SourceOptions
) -> tuple[int | None, float | None]:
    """Return the expected number of frames and seconds between the times that are asked for.

    Both are what the container states or estimates; None where it knows nothing.
    """
    if stream.duration is not None:
        whole_s = float(stream.duration * time_base(stream))
    else:
        whole_s = (container.duration or 0) / av.time_base
    if whole_s <= 0:
        return stream.frames or None, None
    end_s = whole_s if options.end_s is None else min(whole_s, options.end_s)
    wanted_s = max(0.0, end_s - options.start_s)
    if stream.frames:
        return round(stream.frames * wanted_s / whole_s), wanted_s
    rate = frame_rate(stream)
    return round(wanted_s * rate) if rate else None, wanted_s


def has_no_end(container: InputContainer, duration_s: float | None) -> bool:
    """Tell whether a stream goes on for ever, as far as anybody says: no duration, and no size.

    Some recordings, such as MPEG-TS over HTTP, have no duration that is known in advance; the
    size of what is read tells them from live streams. That of an HLS playlist tells nothing.
    """
    has_size = container.size > 0 and container.format.name != "hls"
    return duration_s is None and not has_size


def promised_end_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Time at which the last frame ends, where that is stated for the video alone.

    Matroska states it in a tag of the track, or as the duration of everything, which serves where
    the video is all there is. RTSP states the duration of a recording; what has none is live and
    goes on for ever (infinity). Other containers state the same by their structure, or guess.
    """
    whole_s = container.duration / av.time_base if container.duration else None
    if container.format.name == "rtsp":
        return math.inf if whole_s is None else whole_s
    if not container.format.name.startswith("matroska"):
        return None
    if clock := _CLOCK.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = clock.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return whole_s if len(container.streams) == 1 else None
