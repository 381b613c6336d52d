"""Parameters that were changed while a graph runs: checked before they are sent, kept for later.

A handler or a copy of a stage that comes later is told what has changed before it came. A stage
that is open may refuse a value which was checked; it keeps what it has, and works on.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sightline.errors import PipelineError
from sightline.transport.messages import Change, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sightline.pipeline.stage import Stage

__all__ = ["Changes", "make_change", "took_change"]

_log = logging.getLogger(__name__)

_REMEMBERED = 8
"""How many changes of the same parameters are kept, of which a stage may refuse the later ones."""


class Changes:
    """The last change of every parameter, or of parameters that were changed together, by stage.

    Changes are kept as they were made: were they joined, a stage that refuses one value would
    refuse all of them.

    >>> changes = Changes()
    >>> changes.note("detect", {"confidence": 0.4})
    >>> changes.note("detect", {"classes": ["car"]})
    >>> changes.note("detect", {"confidence": 0.5})
    >>> list(changes)
    [('detect', {'classes': ['car']}), ('detect', {'confidence': 0.5})]
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[str, frozenset[str]], deque[dict[str, Any]]] = {}

    def note(self, stage: str, parameters: Mapping[str, Any]) -> None:
        """Take in new values; they take the place of older ones."""
        key = stage, frozenset(parameters)
        values = self._noted.pop(key, None) or deque(maxlen=_REMEMBERED)
        values.append(dict(parameters))
        self._noted[key] = values  # the last change comes last

    def withdraw(self, stage: str, parameters: Mapping[str, Any]) -> None:
        """Go back to the values before, as a stage has refused these; also if others came since.

        >>> changes = Changes()
        >>> for value in (0.4, -1, 0.5):
        ...     changes.note("detect", {"confidence": value})
        >>> changes.withdraw("detect", {"confidence": -1})
        >>> changes.withdraw("detect", {"confidence": 0.5})
        >>> list(changes)
        [('detect', {'confidence': 0.4})]
        """
        key = stage, frozenset(parameters)
        if (values := self._noted.get(key)) is not None:
            with suppress(ValueError):  # another handler has refused them, too
                values.remove(dict(parameters))
            if not values:
                del self._noted[key]

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through the changes, in the order in which to repeat them."""
        return ((stage, dict(values[-1])) for (stage, _), values in self._noted.items())


def took_change(stage: Stage, name: str, parameters: Mapping[str, Any]) -> bool:
    """Change parameters of a stage that is open; return whether it took them.

    Args:
        stage: The stage; values that it refuses change nothing.
        name: Its name in the pipeline.
        parameters: New values.
    """
    try:
        stage.change(**parameters)
    except Exception as error:  # noqa: BLE001 - foreign code; the value was accepted before
        _log.warning("change refused stage=%s reason=%s", name, error)
        return False
    return True


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
