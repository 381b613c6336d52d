"""What a hub is told: how a graph on this machine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.graph.inlets import InletOptions

if TYPE_CHECKING:
    import threading

    from sightline.graph.stream_lives import StreamPlan
    from sightline.transport.run_directory import RunDirectory

__all__ = ["HubOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """How a graph runs.

    Attributes:
        plan: What is done with every stream.
        handlers: How many handler processes to keep.
        outputs: Stages may make new images, for which slots are granted.
        frames: How many frames of a stream may be under way.
        window_bytes: Bound on the shared memory for these; None: none.
        max_failures: How many frames of a stream may fail before the graph does; None: any.
        max_attempts: How many handlers may die of one frame before it is given up.
        deadline_s: A handler that takes longer for one piece of work, or to close its stages when
            all streams are over, is killed.
        stay: Go on when all streams are over, until stopped.
        stop: Stops the graph as soon as it is set.
    """

    plan: StreamPlan
    handlers: int
    outputs: bool
    frames: int
    window_bytes: int | None = None
    max_failures: int | None = None
    max_attempts: int = 3
    deadline_s: float = 30.0
    stay: bool = False
    stop: threading.Event | None = None

    def for_inlets(self, directory: RunDirectory, address: str) -> InletOptions:
        """Say what feeders are told.

        Args:
            directory: Of this run.
            address: Where the hub listens.
        """
        return InletOptions(
            address=address,
            segment_prefix=directory.segment_prefix,
            frames=self.frames,
            window_bytes=self.window_bytes,
            outputs=self.outputs,
        )
