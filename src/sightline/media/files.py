"""Opens video files, and only files: nothing that they mention is opened with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from sightline.errors import MediaError
from sightline.media.container import ContainerSource, Origin
from sightline.media.failures import cause
from sightline.media.naming import safe_name
from sightline.media.sniffing import foreign_content
from sightline.media.truncation import missing_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer

    from sightline.media.options import SourceOptions

__all__ = ["VIDEO_FORMATS", "open_container", "open_file"]

VIDEO_FORMATS = (
    "asf,avi,av1,dv,flv,gif,gxf,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,"
    "obu,ogg,rm,vc1,vvc,wtv,yuv4mpegpipe"
)
"""Containers that hold a video. Playlists, devices and image patterns open other things."""

_NO_OTHER_FILES = {"enable_drefs": "0", "use_absolute_path": "0"}
"""Data references of MP4 and QuickTime, which are off by default, but only by default."""


def open_file(path: Path, *, options: SourceOptions) -> ContainerSource:
    """Open a video file.

    Only the file itself is opened, whatever it contains: FFmpeg is limited to the `file` protocol
    and to `VIDEO_FORMATS`.

    Raises:
        MediaError: It is not a video that can be decoded; the message says why.
        EntryLostError: Decoding cannot start where the section in the options says.
        OSError: The file cannot be read.
    """
    container = open_container(path, options=options)
    origin = Origin(
        label=str(path),
        name=safe_name(path.stem),
        missing_bytes=missing_bytes(path, container.format.name),
    )
    return ContainerSource(container, origin=origin, options=options)


def open_container(path: Path, *, options: SourceOptions) -> InputContainer:
    """Open a video file with the same care, to look at its streams; the caller closes it.

    Raises:
        MediaError: It is not a video; the message says why.
        OSError: The file cannot be read.
    """
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such file"
        raise MediaError(f"cannot open {path}: {what}")
    foreign = foreign_content(path)
    try:
        container = av.open(
            f"file:{path}",
            format=options.container,
            metadata_errors="replace",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": options.container or VIDEO_FORMATS,
                "max_pixels": str(options.max_pixels),
                **_NO_OTHER_FILES,
            },
        )
    except av.FFmpegError as error:
        raise MediaError(f"cannot open {path}: {foreign or cause(error)}") from None
    if foreign and not container.streams.video:
        container.close()
        raise MediaError(f"cannot open {path}: {foreign}")
    return container
