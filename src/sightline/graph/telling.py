"""Errors that one process or thread tells another of: into a message, and back."""

from __future__ import annotations

from sightline import errors
from sightline.errors import GraphError, SightlineError
from sightline.pipeline.report import as_unicode
from sightline.transport.messages import NodeError

__all__ = ["as_error", "error_of", "told_of"]


def told_of(error: Exception) -> NodeError:
    """Describe an exception, in one line for people."""
    kind = type(error).__name__
    message = str(error) if isinstance(error, SightlineError) else f"{kind}: {error}"
    return NodeError(kind=kind, message=as_unicode(message))


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
    """Make an error of what a thread was ended by, so that it is known elsewhere.

    Foreign code may call `sys.exit()`, which says nothing to a thread but to go.
    """
    if isinstance(raised, Exception):
        return raised
    error = GraphError(f"{type(raised).__name__} was raised: {raised}")
    error.__cause__ = raised
    return error
