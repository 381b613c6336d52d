"""Exit statuses, and which error ends with which."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

import click

from sightline.errors import SightlineError, StageError
from sightline.pipeline.raised import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Exit", "exits_as_errors", "status_of", "worst"]

_log = logging.getLogger(__name__)


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


@contextmanager
def exits_as_errors() -> Iterator[None]:
    """Take it as an error if foreign code calls `sys.exit()`, whatever status it gives.

    Raises:
        ClickException: It did; the command ends with `FAILED`.
    """
    try:
        yield
    except SystemExit as raised:
        _log.info("the program was to end", exc_info=raised)
        raise click.ClickException(
            f"a stage, sink or module ended the run: {in_words(raised)}; "
            "sightline -v run … shows where"
        ) from raised
