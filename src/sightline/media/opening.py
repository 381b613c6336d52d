"""Opens whatever a user names as a source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import MediaError
from sightline.media.options import SourceOptions
from sightline.media.source import Source

if TYPE_CHECKING:
    import os

    from sightline.media.container import ContainerSource
    from sightline.media.images import ImageSource

__all__ = ["open_source"]

_ADDRESS = re.compile(r"(scene):|([A-Za-z][A-Za-z0-9+.-]*)://")


def open_source(
    spec: str | os.PathLike[str] | int | Source, *, options: SourceOptions | None = None
) -> Source:
    """Open a source of frames.

    - the path of a file: a video, or a single image
    - the path of a folder: its images, in natural order
    - a number, also as text, such as `0`: a camera
    - `http://…`, `https://…`: a video file, an HLS playlist or a Motion JPEG stream
    - `rtsp://…`, `rtsps://…`: a live stream
    - `scene:street?seed=3&frames=300`: a generated scene with ground truth
    - a `Source`: itself

    Args:
        spec: What to open.
        options: Settings; None: the defaults.

    Returns:
        An open source; the caller closes it.

    Raises:
        MediaError: It cannot be opened, or holds no frame; one line that names it and the cause.
        ValueError: Options are given for a source that is open already.
    """
    if isinstance(spec, Source):
        if options is not None:
            raise ValueError("options have no effect on a source that is open already")
        return spec
    options = options or SourceOptions()
    if isinstance(spec, int):
        return _open_camera(spec, options)
    if isinstance(spec, str):
        if not spec:
            raise MediaError("cannot open an empty name; name a file, a folder, a camera or a URL")
        if spec.isdecimal():
            return _open_camera(int(spec), options)
        if match := _ADDRESS.match(spec):
            return _open_address(match[match.lastindex or 0].lower(), spec, options)
    path = Path(spec)
    try:
        return _open_path(path, options)
    except MediaError:
        raise
    except OSError as error:
        raise MediaError(f"cannot open {path}: {error.strerror}") from error


def _open_camera(index: int, options: SourceOptions) -> ContainerSource:
    from sightline.media.camera import open_camera

    return open_camera(index, options=options)


def _open_address(scheme: str, address: str, options: SourceOptions) -> Source:
    from sightline.media.naming import redact
    from sightline.media.network import NETWORK_SCHEMES, open_url

    if scheme == "scene":
        if options.has_range:
            raise MediaError(f"cannot open {address}: a scene has no start_s and end_s; set frames")
        from sightline.media.scene import open_scene

        return open_scene(address)
    if scheme in NETWORK_SCHEMES:
        return open_url(address, options=options)
    known = ", ".join([*NETWORK_SCHEMES, "scene"])
    raise MediaError(f"cannot open {redact(address)}: {scheme} is not one of {known}")


def _open_path(path: Path, options: SourceOptions) -> ContainerSource | ImageSource:
    from sightline.media.images import IMAGE_SUFFIXES, ImageSource, image_files

    if path.is_dir():
        return ImageSource(image_files(path), path.resolve().name, options=options)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        return ImageSource([path], path.stem, options=options)
    from sightline.media.files import open_file

    return open_file(path, options=options)
