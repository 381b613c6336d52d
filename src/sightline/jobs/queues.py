"""In which order queues are looked at for a worker, and which groups of tasks there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.jobs.states import Priority, Queue, TaskKind, TaskState, queue_of
from sightline.jobs.store import TaskGroup

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["QUEUED_KINDS", "TASK_GROUPS", "claim_order", "kinds_of"]

QUEUED_KINDS = tuple(
    sorted({(queue_of(kind, priority), kind) for kind in TaskKind for priority in Priority})
)
"""Which kinds of tasks a queue may have."""

TASK_GROUPS = tuple(
    TaskGroup(queue, kind, state.value)
    for queue, kind in QUEUED_KINDS
    for state in (TaskState.READY, TaskState.LEASED)
)
"""What outstanding tasks are counted by."""

_URGENT = frozenset({Queue.INTERACTIVE})


def claim_order(queues: Sequence[Queue] | None) -> list[frozenset[Queue]]:
    """Say which queues to look at together, one set after the other.

    >>> claim_order([Queue.DETECT, Queue.INGEST]) == [{Queue.DETECT}, {Queue.INGEST}]
    True
    >>> claim_order(None)[0]
    frozenset({<Queue.INTERACTIVE: 'interactive'>})
    """
    if queues is None:
        return [_URGENT, frozenset(Queue) - _URGENT]
    return [frozenset({queue}) for queue in queues]


def kinds_of(queues: Collection[Queue]) -> tuple[TaskKind, ...]:
    """Say which kinds of tasks a worker does that serves these queues.

    >>> kinds_of([Queue.DETECT])
    (<TaskKind.CHUNK: 'chunk'>,)
    """
    return tuple(sorted({kind for queue, kind in QUEUED_KINDS if queue in queues}))
