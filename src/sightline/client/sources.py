"""What a video is to a client: an address for the service, or a file to be uploaded."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO

from sightline.errors import MediaError

__all__ = ["check_source", "describe_source", "open_video", "part_of"]

_WHAT_CAN_BE = "only files and http:// or https:// addresses can be submitted"


def describe_source(video: str | os.PathLike[str]) -> tuple[dict[str, Any], Path | None]:
    """Tell an address from a file.

    Returns:
        What to say of it in a request, and the file to upload; None for an address.

    Raises:
        MediaError: It is neither.

    >>> describe_source("https://example.org/street.mp4")
    ({'source_url': 'https://example.org/street.mp4'}, None)
    """
    text = os.fspath(video)
    if text.startswith(("http://", "https://")):
        return {"source_url": text}, None
    path = Path(text)
    if path.is_file():
        return {}, path
    if path.is_dir():
        raise MediaError(f"cannot submit {text}: it is a folder; {_WHAT_CAN_BE}")
    if path.exists() or "://" in text:
        raise MediaError(f"cannot submit {text}: {_WHAT_CAN_BE}")
    raise MediaError(f"cannot submit {text}: there is no such file")


def check_source(video: str | os.PathLike[str]) -> None:
    """Check that a video can be submitted, as far as that is known without sending anything.

    Raises:
        MediaError: It is no address and no file that can be read.
    """
    _, path = describe_source(video)
    if path is not None:
        open_video(path).close()


def open_video(path: Path) -> BinaryIO:
    """Open a file to upload it.

    Raises:
        MediaError: It cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise MediaError(f"cannot upload {path}: {error.strerror or error}") from error


def part_of(path: Path) -> Path:
    """Name the file beside a result that holds it until it is complete."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
