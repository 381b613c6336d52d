"""How a service's own workers are set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.jobs.crew_size import CrewSize
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sightline.jobs.workplace import Workplace

__all__ = ["LocalOptions"]

_FEW = CrewSize(least=1, most=4)
_TWO = CrewSize(least=1, most=2)


def _as_many_as_cores() -> CrewSize:
    return CrewSize(least=usable_cores(), most=usable_cores())


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """How many workers there are, and when they are given up.

    A worker does one task at a time, so that one that dies takes no other task with it.

    Attributes:
        open_workplace: Makes the workplace of a worker, in its process; picklable.
        detect: How many workers do chunks, with one thread each.
        ingest: How many fetch videos and look at them.
        finalize: How many do final passes.
        warm: Definition of the pipeline whose modules and models workers load before they are
            ready.
        stall_s: A worker whose task does not report for so long is killed.
        start_s: A worker that is not ready so long after its start is killed; loading a model may
            include its download.
        memory_bytes: Bound on the memory that a worker may write to; a task that needs more fails.
            The default is more than twice what writing 8K video needs. None: none.
        name: Beginning of the workers' names; two executors on one store need different ones.
    """

    open_workplace: Callable[[], Workplace]
    detect: CrewSize = field(default_factory=_as_many_as_cores)
    ingest: CrewSize = _FEW
    finalize: CrewSize = _TWO
    warm: Mapping[str, Any] | None = None
    stall_s: float = 300.0
    start_s: float = 300.0
    memory_bytes: int | None = 8 * 2**30
    name: str = "local"

    def __post_init__(self) -> None:
        for name in ("stall_s", "start_s", "memory_bytes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, but is {value}")
