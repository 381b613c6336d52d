"""Errors that one process or thread tells another of: into a message, and back."""

from __future__ import annotations

import re

from sightline import errors
from sightline.errors import GraphError, SightlineError
from sightline.pipeline.raised import error_from, in_words
from sightline.pipeline.report import as_unicode
from sightline.transport.messages import NodeError

__all__ = ["as_error", "error_of", "told_of"]

_NOT_FOUND = re.compile(r"Can't get attribute '(.+)' on <module ")  # as pickle says it


def told_of(error: Exception) -> NodeError:
    """Describe an exception, in one line for people."""
    message = str(error) if isinstance(error, SightlineError) else in_words(error)
    return NodeError(kind=type(error).__name__, message=as_unicode(message) + _advice(error))


def _advice(error: Exception) -> str:
    """Say what to do about a class that pickle found in the process that sent it, but not here."""
    found = _NOT_FOUND.match(str(error)) if isinstance(error, AttributeError) else None
    if found is None:
        return ""
    return (
        f"; the processes of a graph import the script and do not find {found[1]!r} in it: define "
        'it in a module, or above `if __name__ == "__main__":`'
    )


def error_of(told: NodeError) -> SightlineError:
    """Make the exception that another process told of."""
    kind = getattr(errors, told.kind, None)
    if (
        isinstance(kind, type)
        and issubclass(kind, SightlineError)
        and kind is not errors.StageError
    ):
        return kind(told.message)
    return GraphError(told.message)


def as_error(raised: BaseException) -> Exception:
    """Make an error of what a thread was ended by, so that it is known elsewhere."""
    return error_from(raised, GraphError)
