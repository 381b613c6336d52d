"""Looks at the video of a job for the first time, and decides whether it is taken.

This reads what strangers made. It runs in a process of its own; see `jobs.probe`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import MediaError
from sightline.jobs.chunking import ChunkSizes, plan_spans
from sightline.jobs.limits import MediaLimits  # noqa: TC001 - msgspec reads the annotations
from sightline.jobs.model import Span  # noqa: TC001 - likewise
from sightline.jobs.sniff import SourceError, source_options
from sightline.jobs.thumbnail import choose_picture, write_thumbnail
from sightline.media.facts import extent, main_video_stream
from sightline.media.files import open_container, open_file

if TYPE_CHECKING:
    from av import VideoStream

    from sightline.media.options import SourceOptions
    from sightline.stream import StreamInfo

__all__ = ["Inspection", "InspectionRequest", "inspect_video"]

_ANY_SIZE = 2**62
_HEAD = 4096
_PICTURES = 25  # among which the thumbnail is chosen: a dark beginning must not hold up the job
_SHOWN_BY_BROWSERS = {
    "mov": {"h264", "av1", "vp9"},
    "matroska": {"vp8", "vp9", "av1"},
}
"""Codecs by container; of Matroska only the part that is called WebM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRequest:
    """What to look at.

    Attributes:
        path: The video.
        limits: What is taken.
        start_s: Begin of the job's part; see `JobSpec`.
        end_s: Its end.
        sizes: How large chunks are to be.
        thumbnail: Where to put a picture of it.
    """

    path: str
    limits: MediaLimits
    start_s: float = 0.0
    end_s: float | None = None
    sizes: ChunkSizes
    thumbnail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found; see `VideoFacts`.

    Attributes:
        spans: The chunks in the order of the video.
    """

    container: str
    codec: str
    width: int
    height: int
    frame_rate: float | None
    duration_s: float | None
    frames: int | None
    playable: bool
    spans: list[Span]


def inspect_video(request: InspectionRequest) -> Inspection:
    """Look at a video, check the limits, and make its thumbnail.

    Raises:
        SourceError: It is no video, or beyond a limit.
        MediaError: It cannot be decoded.
        OSError: The file cannot be read, or the thumbnail not written.
    """
    path, limits = Path(request.path), request.limits
    options = source_options(path, limits=limits, start_s=request.start_s, end_s=request.end_s)
    stated = _read_header(path, options, limits)
    info = _take_picture(path, options, Path(request.thumbnail), has_size=stated.has_size)
    spans = plan_spans(
        path,
        start_s=request.start_s,
        end_s=request.end_s,
        sizes=request.sizes,
        options=replace(options, start_s=0.0, end_s=None),
    )
    counts = [span.frames for span in spans]
    frames = info.frame_count if None in counts else sum(filter(None, counts))
    _check_amount(frames, info.duration_s, info.width * info.height, limits=limits)
    return Inspection(
        container=stated.container,
        codec=stated.codec,
        width=info.width,
        height=info.height,
        frame_rate=float(info.frame_rate) if info.frame_rate else None,
        duration_s=info.duration_s,
        frames=frames,
        playable=stated.playable,
        spans=spans,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What a file states of itself.

    Attributes:
        container: Name of its format.
        codec: Name of the codec of its video.
        playable: Browsers can be expected to play it as it is.
        has_size: It states how large the pictures are; FFmpeg hides a size that it refuses.
    """

    container: str
    codec: str
    playable: bool
    has_size: bool


def _read_header(path: Path, options: SourceOptions, limits: MediaLimits) -> _Header:
    """Check what the file states, before any of it is shown to a decoder."""
    with open_container(path, options=options) as container:
        if len(container.streams) > limits.max_streams:
            raise _beyond(f"{len(container.streams)} streams", f"{limits.max_streams}")
        stream = main_video_stream(container, max_pixels=_ANY_SIZE)
        pixels = stream.width * stream.height
        if pixels > limits.max_pixels:
            size = f"pictures of {stream.width} x {stream.height}"
            raise _beyond(size, f"{limits.max_pixels} pixels")
        frames, duration_s = extent(container, stream, options)
        _check_amount(frames, duration_s, pixels, limits=limits)
        return _Header(
            container=container.format.name.partition(",")[0],
            codec=stream.codec_context.codec.canonical_name,
            playable=_is_playable(path, options, stream),
            has_size=pixels > 0,
        )


def _take_picture(
    path: Path, options: SourceOptions, thumbnail: Path, *, has_size: bool
) -> StreamInfo:
    """Decode the first few frames, and make the thumbnail of one."""
    try:
        source = open_file(path, options=options)
    except MediaError as error:
        if has_size:
            raise
        raise SourceError(
            f"{error}; pictures of more than {options.max_pixels} pixels are not taken",
            code="source-unreadable",
        ) from None
    with closing(source):
        write_thumbnail(choose_picture(islice(source.frames(), _PICTURES)), thumbnail)
        return source.info


def _check_amount(
    frames: int | None, duration_s: float | None, pixels: int, *, limits: MediaLimits
) -> None:
    if duration_s is not None and duration_s > limits.max_duration_s:
        raise _beyond(f"{duration_s:.0f} s", f"{limits.max_duration_s:.0f} s")
    if frames is None:
        return
    if frames > limits.max_frames:
        raise _beyond(f"{frames} frames", f"{limits.max_frames}")
    if frames * pixels > limits.max_total_pixels:
        amount = f"{frames} frames of {pixels} pixels"
        raise _beyond(amount, f"{limits.max_total_pixels} pixels in all")
    if duration_s and frames > max(1.0, duration_s) * limits.max_frame_rate:
        rate = f"{frames / duration_s:.0f} frames per second"
        raise _beyond(rate, f"{limits.max_frame_rate:g}")


def _beyond(what: str, limit: str) -> SourceError:
    return SourceError(
        f"the video has {what}, but at most {limit} are taken", code="source-over-limit"
    )


def _is_playable(path: Path, options: SourceOptions, stream: VideoStream) -> bool:
    """Tell whether browsers can be expected to play the file as it is."""
    family = options.container or ""
    if family == "matroska":
        with path.open("rb") as file:
            if b"webm" not in file.read(_HEAD):  # the element DocType (RFC 8794, 11.2.6)
                return False
    pixels = stream.codec_context.pix_fmt
    codec = stream.codec_context.codec.canonical_name
    return codec in _SHOWN_BY_BROWSERS.get(family, ()) and pixels in ("yuv420p", "yuvj420p")
