"""Says what a file is that is not a video, from its first bytes, so that the message can help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.media.mp4_boxes import top_level_boxes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["foreign_content"]

_HEAD = 4096
_PLAYLISTS = {
    b"#extm3u": "an m3u8 playlist",
    b"ffconcat version": "an ffconcat playlist",
    b"# ffconcat": "an ffconcat playlist",
    b"v=0": "an SDP session description",
    b"[playlist]": "a pls playlist",
    b"[reference]": "a reference to another file",
    b"<asx": "an asx playlist",
}
_XML_PLAYLISTS = {
    b"<mpd": "a DASH manifest",
    b"<smoothstreamingmedia": "a Smooth Streaming manifest",
}
_TEXT = frozenset(range(32, 127)) | frozenset(b"\t\n\r\f\x1b") | frozenset(range(128, 256))


def foreign_content(path: Path) -> str | None:
    """Say why a file cannot be read as a video, or return None if its first bytes do not tell.

    Playlists and manifests are named, because they are never opened: what they point to may be
    any file or address.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "the file is empty"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    playlist = next((name for mark, name in _PLAYLISTS.items() if text.startswith(mark)), None)
    if text.startswith(b"<"):
        playlist = playlist or next((n for mark, n in _XML_PLAYLISTS.items() if mark in text), None)
    if playlist is not None:
        return f"it is {playlist}, which points elsewhere; give the video itself"
    if set(head) <= _TEXT:
        return "it is text, not a video"
    if head[4:8] == b"ftyp" and not _has_index(path):
        return "its index (the moov box) is missing: the file was cut off or is still being written"
    return None


def _has_index(path: Path) -> bool:
    """Whether an MP4 file has a whole `moov` box."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(box.kind == b"moov" and box.end <= size for box in top_level_boxes(file, size))
