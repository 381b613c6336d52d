"""What does the tasks of a store: the protocol of executors, and what they tell of their workers.

An executor is told of new tasks so that they begin at once; it finds them without being told, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sightline.jobs.states import TaskKind

__all__ = ["Executor", "WorkerState", "WorkerStatus"]


class WorkerState(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    """It loads modules and models, and takes no tasks yet."""
    IDLE = "idle"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker as it stands.

    Attributes:
        name: Its name on the leases that it takes.
        kinds: The tasks that it does.
        state: What it is doing.
        pid: Its process.
    """

    name: str
    kinds: tuple[TaskKind, ...]
    state: WorkerState
    pid: int | None = None


class Executor(Protocol):
    """Does the tasks of a store, in whatever way."""

    @property
    def restarts(self) -> int:
        """How many workers were replaced because they died or hung."""

    @property
    def is_ready(self) -> bool:
        """Whether jobs that are accepted now will be begun, as far as it is the executor's part."""

    def start(self) -> None:
        """Begin to do tasks; does not wait until workers are ready."""

    def wake(self, kinds: Iterable[TaskKind]) -> None:
        """Say that there are new tasks of these kinds; any thread may, at any time."""

    def workers(self) -> Sequence[WorkerStatus]:
        """Tell of the workers that there are."""

    def close(self, *, drain_s: float = 10.0) -> None:
        """End the workers that are its own; does nothing if it is closed.

        Tasks that they end within this time are finished, others given back: they have no lease.
        """
