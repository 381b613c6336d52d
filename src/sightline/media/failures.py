"""Says in plain words why FFmpeg failed, without the address it failed on."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from av import error as av_error

if TYPE_CHECKING:
    from av import FFmpegError

__all__ = ["cause"]


def cause(error: FFmpegError, *, timeout_s: float | None = None) -> str:
    """Return the cause of an error, fit to follow a colon.

    Args:
        error: What PyAV raised. Its own text names the address with user and password.
        timeout_s: How long was waited, where waiting was possible.
    """
    if timeout_s is not None:
        if isinstance(error, (av_error.ExitError, av_error.TimeoutError)):
            return f"no data came for {timeout_s:g} s"
        if error.errno == errno.EIO:
            return "the connection broke off"
    if isinstance(error, av_error.InvalidDataError):
        return "it is not a video, or it is damaged beyond reading"
    if isinstance(error, av_error.EOFError):
        return "it ends before its first frame"
    if isinstance(error, av_error.ArgumentError):
        return "its format is not one that Sightline reads"
    text = error.strerror or "unknown error"
    return text[:1].lower() + text[1:]
