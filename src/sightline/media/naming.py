"""Names of streams that are safe as file names, and addresses that are safe to show."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["is_address", "redact", "safe_name", "url_name"]

_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST = 100
_ADDRESS = re.compile(r"scene:|[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(text: str) -> bool:
    """Tell whether a source is named by an address, and not by a path.

    >>> is_address("rtsp://cam-1/live"), is_address("scene:street"), is_address("a:b.mp4")
    (True, True, False)
    """
    return _ADDRESS.match(text) is not None


def safe_name(text: str) -> str:
    """Make a name that is safe as a file name on every system, and never empty.

    >>> safe_name("Main Street (north) #2")
    'Main-Street-north-2'
    >>> safe_name("../..")
    'stream'
    """
    return _UNSAFE.sub("-", text).strip("-.")[:_LONGEST] or "stream"


def url_name(url: str) -> str:
    """Name a stream after its address, without user, password and query.

    >>> url_name("rtsp://ann:secret@cam-1:554/live/main?token=abc")
    'cam-1-554-live-main'
    """
    return safe_name(redact(url).partition("://")[2].removeprefix("***@").partition("?")[0])


def redact(url: str) -> str:
    """Hide what may be secret in an address: user, password and query.

    >>> redact("rtsp://ann:secret@cam-1:554/live?token=abc")
    'rtsp://***@cam-1:554/live?***'
    >>> redact("http://cam-1/video.mjpg")
    'http://cam-1/video.mjpg'
    """
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{scheme}://***"
    _, at, host = parts.netloc.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{host}{parts.path}{'?***' if parts.query else ''}"
