"""Errors that one process or thread tells another of: into a message, and back."""

from __future__ import annotations

from sightline import errors
from sightline.errors import GraphError, SightlineError
from sightline.pipeline.raised import error_from, in_words
from sightline.pipeline.report import as_unicode
from sightline.transport.messages import NodeError

__all__ = ["as_error", "error_of", "told_of"]


def told_of(error: Exception) -> NodeError:
    """Describe an exception, in one line for people."""
    message = str(error) if isinstance(error, SightlineError) else in_words(error)
    return NodeError(kind=type(error).__name__, message=as_unicode(message))


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
