"""Exit statuses, and which error ends with which."""

from __future__ import annotations

from enum import IntEnum

from sightline.errors import SightlineError, StageError

__all__ = ["Exit", "status_of"]


class Exit(IntEnum):
    """What the exit status of `sightline` says."""

    OK = 0
    FAILED = 1
    """A stage failed, or a check did."""
    BAD_INPUT = 2
    """The command line, a video, a model or an output cannot be used; nothing was processed."""
    INCOMPLETE = 3
    """Outputs were written, but part of the input could not be decoded or processed."""
    INTERRUPTED = 130
    """Ended by Ctrl-C, SIGTERM or `sightline stop`; outputs are valid for the finished frames."""


def status_of(error: SightlineError) -> Exit:
    """Choose the exit status for an error."""
    return Exit.FAILED if isinstance(error, StageError) else Exit.BAD_INPUT
