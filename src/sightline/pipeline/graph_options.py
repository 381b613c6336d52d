"""How a pipeline behaves when it runs as a graph; the graph itself is in a layer above."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    import threading

__all__ = ["GraphOptions"]

_OPTIONAL = ("max_failures", "window_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """How a graph behaves.

    Attributes:
        handlers: How many handler processes work on stateless stages.
        window_bytes: Bound on the shared memory for the pixels of one stream; None: room for the
            frames that keep all handlers busy.
        max_failures: How many frames of a stream may fail before the graph ends with `StageError`;
            None: any number, all counted, the first and the latest recorded in the report.
        max_attempts: How many handlers may die of one frame before that frame is given up.
        deadline_s: A handler that takes longer for one piece of work is killed, and the work done
            by another one. When all streams are over, its stages have as long to close.
        stay: Go on when all streams are over, for streams that are added later, until stopped.
        stop: Set it, from any thread, to stop the graph.

    Raises:
        TypeError: A value is no number.
        ValueError: A number is too small.
    """

    handlers: int = 2
    window_bytes: int | None = None
    max_failures: int | None = None
    max_attempts: int = 3
    deadline_s: float = 30.0
    stay: bool = False
    stop: threading.Event | None = None

    def __post_init__(self) -> None:
        for name in ("handlers", "max_attempts", "window_bytes"):
            _check_whole(name, getattr(self, name), least=1)
        _check_whole("max_failures", self.max_failures, least=0)
        _check_positive("deadline_s", self.deadline_s)


def _check_whole(name: str, value: Any, *, least: int) -> None:
    if value is None and name in _OPTIONAL:
        return
    if not isinstance(value, SupportsIndex) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, but is {value!r}")
    if index(value) < least:
        raise ValueError(f"{name} must be {least} or more, but is {value}")


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"{name} must be a number, but is {value!r}")
    if not float(value) > 0:
        raise ValueError(f"{name} must be positive, but is {value}")
