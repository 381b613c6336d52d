"""Errors that one process tells another of: into a message, and back."""

from __future__ import annotations

from sightline import errors
from sightline.errors import GraphError, SightlineError
from sightline.transport.messages import NodeError

__all__ = ["error_of", "told_of"]


def told_of(error: Exception) -> NodeError:
    """Describe an exception, in one line for people."""
    kind = type(error).__name__
    message = str(error) if isinstance(error, SightlineError) else f"{kind}: {error}"
    return NodeError(kind=kind, message=message)


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
