"""What foreign code raised: in words, and as an error where it would end a thread of ours.

Stages, sources and sinks may call `sys.exit()`, which says nothing to a thread but to go. It does
not know who waits for that thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.errors import SightlineError

__all__ = ["error_from", "in_words"]


def in_words(raised: BaseException) -> str:
    """Write the type and the message of an exception, even of one that cannot tell its message.

    >>> in_words(SystemExit(3))
    'SystemExit: 3'
    """
    return f"{type(raised).__name__}: {_text_of(raised)}"


def error_from(raised: BaseException, kind: type[SightlineError], *, by: str = "") -> Exception:
    """Make an error of what a thread was ended by, so that it is known elsewhere.

    Args:
        raised: What the thread was ended by.
        kind: What to make of it if it is no error.
        by: Who raised it, where that is known.

    Returns:
        The same if it is an error already.

    >>> from sightline.errors import MediaError
    >>> error_from(SystemExit(3), MediaError, by="the camera")
    MediaError('SystemExit was raised by the camera: 3')
    """
    if isinstance(raised, Exception):
        return raised
    whom = f" by {by}" if by else ""
    error = kind(f"{type(raised).__name__} was raised{whom}: {_text_of(raised)}")
    error.__cause__ = raised
    return error


def _text_of(raised: BaseException) -> str:
    try:
        return str(raised)
    except BaseException:  # noqa: BLE001 - foreign code, asked at a thread boundary
        return "its text cannot be had"
