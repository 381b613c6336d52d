"""Parameters that were changed while a graph runs: checked before they are sent, kept for later.

A handler or a copy of a stage that comes later is told what has changed before it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.errors import PipelineError
from sightline.transport.messages import Change, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Changes", "make_change"]


class Changes:
    """The last value of every parameter that was changed, by stage.

    >>> changes = Changes()
    >>> changes.note("detect", {"confidence": 0.4, "classes": ["car"]})
    >>> changes.note("detect", {"confidence": 0.5})
    >>> list(changes)
    [('detect', {'confidence': 0.5, 'classes': ['car']})]
    """

    def __init__(self) -> None:
        self._by_stage: dict[str, dict[str, Any]] = {}

    def note(self, stage: str, parameters: Mapping[str, Any]) -> None:
        """Take in new values; they take the place of older ones."""
        self._by_stage.setdefault(stage, {}).update(parameters)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through the stages that were changed, with the values of their parameters."""
        return ((stage, dict(values)) for stage, values in self._by_stage.items())


def make_change(stage: str, parameters: Mapping[str, Any]) -> Change:
    """Make the message that changes parameters of a stage.

    Raises:
        PipelineError: A value cannot be sent to another process.
    """
    for name, value in parameters.items():
        try:
            encode(Change(stage, {name: value}))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PipelineError(
                f"stage {stage!r}: the value of {name!r} cannot be sent to other processes: "
                f"{error}; use numbers, text, and lists and mappings of these"
            ) from error
    return Change(stage, dict(parameters))
