"""The end of a run: calls of foreign code that are all made, and hide no error before them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sightline.pipeline.raised import in_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    _Kind = type[BaseException] | None
    Leave = Callable[[_Kind, BaseException | None, TracebackType | None], None]

__all__ = ["at_end"]

_log = logging.getLogger(__name__)


def at_end(call: Callable[[], object], *, after: BaseException | None = None) -> Leave:
    """Make of a call what `ExitStack.push` takes.

    With `ExitStack.callback` the error of a `close()` would be raised in place of the one for
    which it was called. With this the first error is raised, and later ones are logged. What is
    no error, such as Ctrl-C, is raised whatever came before.

    Args:
        call: What to call.
        after: What is being raised outside of the stack already.
    """

    def leave(_kind: _Kind, error: BaseException | None, _traceback: TracebackType | None) -> None:
        first = error if after is None else after
        try:
            call()
        except Exception as raised:
            if first is None or isinstance(first, GeneratorExit):  # which ends a generator
                raise
            _log.warning("failed at the end of a run: %s", in_words(raised), exc_info=raised)

    return leave
