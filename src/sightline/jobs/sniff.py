"""Decides by the first bytes of a stranger's file how it is opened, if at all.

FFmpeg knows some hundred formats, of which many point to other files and addresses, and it tries
them by itself. Files of strangers are opened as one of four containers, which point nowhere, and
every part of the service that opens the video of a job does it with `source_options`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sightline.errors import SightlineError
from sightline.jobs.limits import MediaLimits
from sightline.media.options import SourceOptions
from sightline.media.sniffing import foreign_content

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Container", "SourceError", "sniff", "source_options"]

Container = Literal["avi", "matroska", "mov", "mpegts"]
"""The containers that are accepted, as FFmpeg names them."""

_HEAD = 4096
_BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot")
_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
_SYNC = b"\x47"
_TRANSPORT_PACKETS = {188: 0, 192: 4, 204: 0}
"""Sizes of transport packets, and where the sync byte is in each (ISO/IEC 13818-1, 2.4.3)."""
_SYNC_BYTES = 4

_OTHER = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"PK": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"(\xb5/\xfd": "a Zstandard archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"FLV": "an FLV video",
    b"0&\xb2u": "a Windows Media video",
    b"OggS": "an Ogg file",
    b"\x00\x00\x01\xba": "an MPEG program stream",
    b"ID3": "an MP3 file",
    b"fLaC": "a FLAC file",
}


class SourceError(SightlineError, ValueError):
    """The video of a job cannot be used.

    Attributes:
        code: Of `jobs.failures.FAILURE_CODES`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def sniff(path: Path) -> Container:
    """Tell the container of a video by its first bytes.

    Raises:
        SourceError: It is none that is accepted; the message says what it is, if that is known.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    container = _container(head)
    foreign = foreign_content(path)
    if container is None or foreign is not None:
        what = foreign or f"it is {_name(head)}"
        raise SourceError(
            f"this is not a video that can be used: {what}; "
            "give an MP4, QuickTime, Matroska, WebM, AVI or MPEG-TS file",
            code="source-not-video",
        )
    return container


def source_options(
    path: Path,
    *,
    limits: MediaLimits | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> SourceOptions:
    """Give the options under which the video of a job is opened, by whatever part of the service.

    Args:
        path: The video.
        limits: Those of the service; None: the defaults.
        start_s: See `SourceOptions`.
        end_s: See `SourceOptions`.

    Raises:
        SourceError: It is no video that is accepted.
        OSError: It cannot be read.
    """
    return SourceOptions(
        container=sniff(path),
        max_pixels=(limits or MediaLimits()).max_pixels,
        start_s=start_s,
        end_s=end_s,
    )


def _container(head: bytes) -> Container | None:
    if head[4:8] in _BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _IMAGE_BRANDS else "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF"):
        return "avi" if head[8:12] in (b"AVI ", b"AVIX") else None
    for length, sync in _TRANSPORT_PACKETS.items():
        if head[sync::length][:_SYNC_BYTES] == _SYNC * _SYNC_BYTES:
            return "mpegts"
    return None


def _name(head: bytes) -> str:
    """Name what is no video, as far as its first bytes tell."""
    if head[4:8] == b"ftyp":
        return "a HEIF or AVIF image"
    if head.startswith(b"RIFF"):
        return "a WebP image" if head[8:12] == b"WEBP" else "a RIFF file without video"
    return next((name for mark, name in _OTHER.items() if head.startswith(mark)), "of unknown kind")
