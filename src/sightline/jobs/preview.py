"""A copy of a video that a browser can play, for videos that it cannot play as they are.

    H.264, 8 bit 4:2:0, in a container that browsers do not know  ──►  packets copied into MP4
    everything else                                               ──►  encoded again, smaller

The copy begins at 0 with its first picture, as the clocks of players do, and keeps the distance in
time from each picture to the next. There is no sound in it.
"""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from sightline.media.facts import main_video_stream
from sightline.media.files import open_container, open_file
from sightline.sinks.video import VideoFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av import Packet, VideoStream
    from av.container import InputContainer

    from sightline.frame import Frame
    from sightline.media.options import SourceOptions

    _Packet = Packet[VideoStream]

__all__ = ["PREVIEW_NAME", "make_preview", "playback_start_s"]

_log = logging.getLogger(__name__)

PREVIEW_NAME = "preview.mp4"
"""Name of the file in the folder of the results."""
_WIDEST = 1280
_CRF = 26
_CLOCK_HZ = 90_000
_JITTER_S = 0.002
_MOST_UNEVEN = 0.01
_TIMES_ARE_SOUND = frozenset({"matroska", "mpegts", "mov"})
"""Containers whose packets say when they are shown; in AVI they do not."""


def playback_start_s(path: Path, *, options: SourceOptions) -> float:
    """Tell which time of its frames a player's clock shows as 0, for a video that plays as it is.

    Players count from the earliest sound or picture.

    Raises:
        MediaError: It cannot be opened.
    """
    with open_container(path, options=options) as container:
        return (container.start_time or 0) / av.time_base


def make_preview(
    video: Path, preview: Path, *, options: SourceOptions, stop: Callable[[], bool]
) -> float | None:
    """Make a copy of a video that every browser plays: MP4, H.264, index in front.

    Packets are copied where that is enough; else the part that `options` ask for is encoded, at
    most 1280 pixels wide.

    Args:
        video: The video.
        preview: The file to write.
        options: How to open the video.
        stop: Asked between the frames whether to give up.

    Returns:
        The time, as frames have it, of the first picture, at which the clock of a player shows 0;
        None if it was given up, and there is no file.

    Raises:
        MediaError: The video cannot be read.
        OutputError: The preview cannot be written.
    """
    start_s = _copy(video, preview, options, stop)
    if start_s is None and not stop():
        start_s = _encode(video, preview, options, stop)
    return start_s


def _encode(
    video: Path, preview: Path, options: SourceOptions, stop: Callable[[], bool]
) -> float | None:
    start_s: float | None = None
    sink = VideoFile(preview, crf=_CRF)
    with closing(open_file(video, options=options)) as source:
        sink.open(source.info)
        try:
            for frame in source.frames():
                if stop():
                    return None
                start_s = frame.time_s if start_s is None else start_s
                sink.write(_bounded(frame))
            sink.close()
        finally:
            sink.discard()
    return start_s


def _bounded(frame: Frame) -> Frame:
    if frame.width <= _WIDEST:
        return frame
    size = (_WIDEST, max(2, round(frame.height * _WIDEST / frame.width)))
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    return frame.replace(image=image.astype(np.uint8, copy=False))


def _copy(
    video: Path, preview: Path, options: SourceOptions, stop: Callable[[], bool]
) -> float | None:
    """Copy the packets; None if that is not enough, or does not work, or was given up."""
    part = preview.with_name(f"{preview.name}.part")
    try:
        with open_container(video, options=options) as container:
            stream = main_video_stream(container, max_pixels=options.max_pixels)
            if not _can_be_copied(container, stream):
                return None
            start_s = _copy_packets(container, stream, part, stop)
        if start_s is not None and _begins_alike(video, part, options):
            part.replace(preview)
            return start_s
    except (av.FFmpegError, ValueError) as error:  # such as times that do not increase
        _log.info("packets cannot be copied video=%s error=%s", video, error)
    finally:
        with suppress(OSError):
            part.unlink()
    return None


def _can_be_copied(container: InputContainer, stream: VideoStream) -> bool:
    return (
        container.format.name.partition(",")[0] in _TIMES_ARE_SOUND
        and stream.codec_context.name == "h264"
        and stream.codec_context.pix_fmt in ("yuv420p", "yuvj420p")
    )


def _copy_packets(
    container: InputContainer, stream: VideoStream, part: Path, stop: Callable[[], bool]
) -> float | None:
    times: list[float] = []
    first_pts = 0
    with av.open(
        str(part.absolute()), "w", format="mp4", container_options={"movflags": "+faststart"}
    ) as output:
        copied = output.add_stream_from_template(stream)
        copied.time_base = Fraction(1, _CLOCK_HZ)
        for packet in _with_decoding_times(_shown_packets(container, stream)):
            if stop():
                return None
            pts, dts, ticks_s = packet.pts, packet.dts, packet.time_base
            if pts is None or dts is None or ticks_s is None:
                raise ValueError("a packet has no time")
            first_pts = first_pts if times else pts
            times.append(float(pts * ticks_s))
            packet.pts, packet.dts = pts - first_pts, dts - first_pts
            packet.stream = copied
            output.mux(packet)
    if not _is_seen_in_time(times):
        raise ValueError("its rate varies, and its pictures are not stored in their order")
    return times[0] if times else None


def _is_seen_in_time(times: list[float]) -> bool:
    """Whether browsers show the picture of a time when they are sent there.

    They take the distance of packets in the file for the time that a picture lasts. That is true
    where pictures are stored in the order in which they are shown, or come at one rate.
    """
    if all(earlier < later for earlier, later in pairwise(times)):
        return True
    steps = np.diff(np.sort(times))
    uneven = np.abs(steps - np.median(steps)) > _JITTER_S
    return bool(np.mean(uneven) <= _MOST_UNEVEN)


def _shown_packets(container: InputContainer, stream: VideoStream) -> Iterator[_Packet]:
    """Yield the packets from the first key frame on, without those shown before it."""
    first_pts: int | None = None
    for packet in container.demux(stream):
        if not packet.size or (first_pts is None and not packet.is_keyframe):
            continue
        first_pts = packet.pts if first_pts is None else first_pts
        if packet.pts is None or first_pts is None or packet.pts >= first_pts:
            yield packet


def _with_decoding_times(packets: Iterator[_Packet]) -> Iterator[_Packet]:
    """Give a decoding time to the first packets: in Matroska it is known of later ones alone."""
    waiting: list[_Packet] = []
    for packet in packets:
        waiting.append(packet)
        if packet.dts is not None:
            # The steps are also how long browsers take pictures to last.
            for back, earlier in enumerate(reversed(waiting)):
                earlier.dts = packet.dts - back * (packet.duration or 1)
            yield from waiting
            waiting.clear()
    yield from waiting


def _begins_alike(video: Path, copy: Path, options: SourceOptions) -> bool:
    """Whether the first pictures are the same: not every container says which side is up."""
    whole = replace(options, start_s=0.0, end_s=None)
    with (
        closing(open_file(video, options=whole)) as one,
        closing(open_file(copy, options=replace(whole, container="mov"))) as other,
    ):
        return np.array_equal(next(one.frames()).image, next(other.frames()).image)
