"""A source that reads images, one file per frame."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sightline.errors import MediaError
from sightline.frame import Frame
from sightline.media.losses import LossLog
from sightline.media.naming import safe_name
from sightline.media.options import range_text
from sightline.stream import StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sightline.frame import Image
    from sightline.media.options import SourceOptions

__all__ = ["IMAGE_SUFFIXES", "ImageSource", "image_files"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes of files that are read as images, in lower case."""

_NUMBER = re.compile(r"(\d+)")


def image_files(folder: Path) -> list[Path]:
    """List the images of a folder in natural order (2 before 10); hidden files are left out.

    Raises:
        MediaError: The folder has none.
        OSError: The folder cannot be read.
    """
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]
    if not files:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        raise MediaError(f"cannot open {folder}: there are no images in the folder ({kinds})")
    return sorted(files, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names as people do, numbers by their value.

    >>> sorted(["frame10.png", "frame9.png", "Frame1.png"], key=natural_key)
    ['Frame1.png', 'frame9.png', 'frame10.png']
    """
    parts = _NUMBER.split(name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts] + [(0, name)]


class ImageSource:
    """Yields images as the frames of a stream; `pts` counts the files.

    Images are upright (H, W, 3) BGR (EXIF orientation applied, alpha dropped, 8 bits), each in its
    own size. A file that cannot be decoded is a loss: its frame is left out, its time stays.

    Args:
        files: The images in order; at least one.
        name: Name of the stream.
        options: `frame_rate`, `start_s` and `end_s`.

    Raises:
        MediaError: None of the images can be decoded, or none lies in the time asked for.
    """

    def __init__(self, files: Sequence[Path], name: str, *, options: SourceOptions) -> None:
        rate = options.frame_rate
        end_s = math.inf if options.end_s is None else options.end_s
        self._files = [
            (pts, path) for pts, path in enumerate(files) if options.start_s <= pts / rate < end_s
        ]
        self._log = LossLog()
        self._closing = False
        self._started = False
        images = (image for _, path in self._files if (image := decode_image(path)) is not None)
        first = next(images, None)
        if first is None:
            raise MediaError(f"cannot read {files[0].parent}: {self._why_nothing(options)}")
        self.losses = self._log.losses
        self.info = StreamInfo(
            name=safe_name(name),
            width=first.shape[1],
            height=first.shape[0],
            time_base=1 / rate,
            frame_rate=rate,
            frame_count=len(self._files),
            duration_s=float(len(self._files) / rate),
        )

    def frames(self) -> Iterator[Frame]:
        """Yield the images in order.

        Raises:
            MediaError: The source was read before.
        """
        if self._started:
            raise MediaError(f"{self.info.name} was read already; open it again")
        self._started = True
        return self._frames()

    def close(self) -> None:
        """End a running `frames()`; nothing is held open."""
        self._closing = True

    def _why_nothing(self, options: SourceOptions) -> str:
        if self._files:
            return f"none of the {len(self._files)} images can be decoded"
        return f"there is no image {range_text(options.start_s, options.end_s)}"

    def _frames(self) -> Iterator[Frame]:
        seq = 0
        for pts, path in self._files:
            if self._closing:
                return
            image = decode_image(path)
            if image is None:
                self._log.frames_missing(1, float(pts * self.info.time_base))
                continue
            yield Frame(
                image=image,
                seq=seq,
                pts=pts,
                time_base=self.info.time_base,
                stream=self.info.name,
            )
            seq += 1


def decode_image(path: Path) -> Image | None:
    """Decode an image file to upright BGR; None if it cannot be read or decoded."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)
