"""How a pipeline behaves when it runs as a graph; the graph itself is in a layer above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

__all__ = ["GraphOptions"]


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
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more, but is {value}")
        if self.max_failures is not None and self.max_failures < 0:
            raise ValueError(f"max_failures must be 0 or more, but is {self.max_failures}")
        if not self.deadline_s > 0:
            raise ValueError(f"deadline_s must be positive, but is {self.deadline_s}")
