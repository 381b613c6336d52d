"""Exit statuses, and which error ends with which."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from sightline.errors import SightlineError, StageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Exit", "status_of", "worst"]


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


_FROM_BEST_TO_WORST = (
    Exit.OK,
    Exit.INCOMPLETE,
    Exit.INTERRUPTED,
    Exit.FAILED,
    Exit.BAD_INPUT,
)


def status_of(error: SightlineError) -> Exit:
    """Choose the exit status for an error."""
    return Exit.FAILED if isinstance(error, StageError) else Exit.BAD_INPUT


def worst(statuses: Iterable[Exit]) -> Exit:
    """Choose the exit status for several things, each of which has one.

    What was refused is the worst, since nothing is known of it; then what failed, what was
    interrupted, and what is incomplete.

    >>> worst([Exit.OK, Exit.INCOMPLETE, Exit.INTERRUPTED]).name, worst([]).name
    ('INTERRUPTED', 'OK')
    """
    return max(statuses, key=_FROM_BEST_TO_WORST.index, default=Exit.OK)
