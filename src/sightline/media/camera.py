"""Opens cameras and other capture devices."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import av

from sightline.errors import MediaError
from sightline.media.container import ContainerSource, Origin
from sightline.media.failures import cause

if TYPE_CHECKING:
    from sightline.media.options import SourceOptions

__all__ = ["open_camera", "open_device"]


def open_camera(index: int, *, options: SourceOptions) -> ContainerSource:
    """Open a camera by its number; 0 is the first.

    Raises:
        MediaError: There is no such camera, or it cannot be used.
    """
    origin = Origin(label=f"camera {index}", name=f"camera-{index}", live=True)
    if options.has_range:
        raise MediaError(f"cannot open {origin.label}: start_s and end_s are for recorded videos")
    if sys.platform == "win32":
        return open_device("dshow", _windows_camera(index), origin=origin, options=options)
    if sys.platform == "darwin":
        return open_device("avfoundation", str(index), origin=origin, options=options)
    return open_device("v4l2", f"/dev/video{index}", origin=origin, options=options)


def open_device(
    interface: str, device: str, *, origin: Origin, options: SourceOptions
) -> ContainerSource:
    """Open a device through one of FFmpeg's capture interfaces.

    Raises:
        MediaError: There is no such device, or it cannot be used.
    """
    settings = {}
    if options.camera_size is not None:
        settings["video_size"] = "{}x{}".format(*options.camera_size)
    if options.camera_rate is not None:
        settings["framerate"] = str(options.camera_rate)
    try:
        container = av.open(device, format=interface, options=settings, timeout=options.timeout_s)
    except av.FFmpegError as error:
        reason = cause(error, timeout_s=options.timeout_s)
        raise MediaError(f"cannot open {origin.label} ({interface} {device}): {reason}") from None
    except ValueError:
        raise MediaError(
            f"cannot open {origin.label}: this build of PyAV has no {interface}"
        ) from None
    return ContainerSource(container, origin=origin, options=options)


def _windows_camera(index: int) -> str:
    cameras = [d.name for d in av.enumerate_input_devices("dshow") if "video" in d.media_types]
    if index >= len(cameras):
        raise MediaError(f"cannot open camera {index}: there are {len(cameras)} cameras")
    return f"video={cameras[index]}"
