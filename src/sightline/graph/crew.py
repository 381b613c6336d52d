"""The handler processes of a graph: as many as there should be, replaced when they die or hang."""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sightline.errors import GraphError, PipelineError
from sightline.graph.handler import HandlerOptions, run_handler
from sightline.graph.plan import StepKind
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.graph.plan import Step
    from sightline.transport.processes import Children

__all__ = ["PRELOADED", "Crew", "Handler"]

PRELOADED = ("sightline.graph.handler", "sightline.graph.feeder")
"""What the processes of a graph load once for all of them."""

_log = logging.getLogger(__name__)

_MOST_FALSE_STARTS = 3
"""In a row, before any handler was ever ready: then none will be."""
_MOST_IN_VAIN = 10
"""In a row for each place, while no handler is left of those that were."""
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_SETTLED_S = 5.0
_SLOWER = 3.0
"""How many times as long a handler may take to open its stages as the slowest one before it."""
_GAP_S = 1.0
"""They are looked at many times a second; who did not for longer was stopped."""


@dataclass(slots=True, eq=False)
class Handler:
    """One handler process.

    Attributes:
        identity: What the hub calls it.
        place: Which of the crew it is; its successor takes the same place.
        is_ready: It has opened its stages.
        since_s: When it was started, or became ready.
        holds: Pieces of work that it was given and has not returned.
        busy_since_s: When it began the oldest of these, as far as the hub can know.
        is_hung: It was killed because it took too long.
        failure: What went wrong in it, as it has told.
    """

    identity: bytes
    place: int
    since_s: float
    is_ready: bool = False
    holds: int = 0
    busy_since_s: float = 0.0
    is_hung: bool = False
    failure: str = ""

    def gave(self, now_s: float) -> None:
        """Note that it was given a piece of work."""
        if self.holds == 0:
            self.busy_since_s = now_s
        self.holds += 1

    def returned(self, now_s: float) -> None:
        """Note that it returned one, and went on with the next."""
        self.holds -= 1
        self.busy_since_s = now_s


class Crew:
    """Keeps a number of handler processes running. Used by one thread.

    Args:
        children: Starts and watches the processes.
        steps: The plan that they work by.
        size: How many; 0 if the plan has nothing for them.
        deadline_s: A handler that takes longer for one piece of work is killed. So is one that
            takes longer to open its stages, and several times as long as those before it.

    Raises:
        PipelineError: A stage cannot be sent to another process.
    """

    def __init__(
        self, children: Children, steps: Sequence[Step], *, size: int, deadline_s: float
    ) -> None:
        self.restarts = 0
        self._children = children
        self._steps = _pickled(steps) if size else b""
        self._deadline_s = deadline_s
        self._threads = max(1, usable_cores() // max(1, size))
        self._looked_s = 0.0
        self._started = 0
        self._false_starts = 0
        self._slowest_start_s: float | None = None  # None: no handler was ever ready
        self._members: dict[bytes, Handler] = {}
        self._dismissed: set[bytes] = set()
        self._due: dict[int, float] = dict.fromkeys(range(size), 0.0)
        self._delays: dict[int, float] = dict.fromkeys(range(size), 0.0)

    @property
    def ready(self) -> int:
        """How many take work."""
        return sum(member.is_ready for member in self._members.values())

    @property
    def size(self) -> int:
        """How many there should be."""
        return len(self._delays)

    def find(self, identity: bytes) -> Handler | None:
        """Find a handler; None: it is dead, or none of ours."""
        return self._members.get(identity)

    def is_ours(self, identity: bytes) -> bool:
        """Tell whether a peer is a handler that is there, or closes its stages."""
        return identity in self._members or identity in self._dismissed

    @property
    def identities(self) -> list[bytes]:
        """Every handler that is there."""
        return list(self._members)

    def dismiss(self) -> list[bytes]:
        """Need no handler any more; return those that have stages to close."""
        leaving = [member.identity for member in self._members.values() if member.is_ready]
        self._dismissed.update(leaving)
        self._members.clear()
        self._due.clear()
        return leaving

    def start_due(self, address: str, now_s: float) -> None:
        """Start the handlers whose time has come."""
        for place, due_s in list(self._due.items()):
            if due_s > now_s:
                continue
            del self._due[place]
            self._started += 1
            identity = f"handler-{place}.{self._started}".encode()
            options = HandlerOptions(
                address=address, identity=identity, steps=self._steps, threads=self._threads
            )
            self._children.start(identity, run_handler, options)
            self._members[identity] = Handler(identity, place, now_s)

    def is_now_ready(self, identity: bytes, now_s: float) -> bool:
        """Note that a handler takes work; False if it is none of ours."""
        member = self._members.get(identity)
        if member is None:
            return False
        start_s = now_s - member.since_s
        self._slowest_start_s = max(self._slowest_start_s or 0.0, start_s)
        member.is_ready = True
        member.since_s = now_s
        self._false_starts = 0
        return True

    def bury(self, identity: bytes, now_s: float) -> Handler | None:
        """Forget a dead handler, and plan its successor.

        Raises:
            GraphError: Handlers die again and again before they are ready.
        """
        member = self._members.pop(identity, None)
        if member is None:
            return None
        if not member.is_ready:
            self._count_false_start(member)
        lasted = now_s - member.since_s >= _SETTLED_S
        delay_s = 0.0 if lasted else self._delays[member.place]
        self._delays[member.place] = min(_LONGEST_DELAY_S, max(_FIRST_DELAY_S, 2 * delay_s))
        self._due[member.place] = now_s + delay_s
        self.restarts += 1
        return member

    def reason_of(self, member: Handler, status: int) -> str:
        """Say why a handler died."""
        if member.is_hung:
            return f"the handler took longer than {self._deadline_s:g} s"
        return member.failure or f"the handler process died (exit status {status})"

    def _count_false_start(self, member: Handler) -> None:
        """Count a handler that died, or failed, before it was ready.

        Raises:
            GraphError: There is none, and it seems that there never will be.
        """
        self._false_starts += 1
        was_ready = self._slowest_start_s is not None
        most = _MOST_IN_VAIN * self.size if was_ready else _MOST_FALSE_STARTS
        if self._false_starts >= most and not self.ready:
            raise GraphError(
                f"{self._false_starts} handler processes in a row died before they were ready; "
                + (member.failure or "look for their messages on standard error")
            )

    def kill_overdue(self, now_s: float) -> None:
        """Kill the handlers that have been at one piece of work, or at opening, for too long.

        Time in which nobody looked does not count: all processes may have been stopped (Ctrl-Z), or
        the machine asleep.
        """
        unseen_s = now_s - self._looked_s
        self._looked_s = now_s
        for member in self._members.values():
            if unseen_s > _GAP_S:
                member.busy_since_s += unseen_s
                member.since_s += 0.0 if member.is_ready else unseen_s
            if self._is_overdue(member, now_s) and not member.is_hung:
                _log.warning("handler hangs identity=%s", member.identity.decode())
                member.is_hung = True
                self._children.kill(member.identity)

    def _is_overdue(self, member: Handler, now_s: float) -> bool:
        """Tell whether a handler takes too long; nobody knows how long the first ones may."""
        if member.is_ready:
            return member.holds > 0 and now_s - member.busy_since_s > self._deadline_s
        slowest_s = self._slowest_start_s
        if slowest_s is None:
            return False
        return now_s - member.since_s > max(self._deadline_s, _SLOWER * slowest_s)


def _pickled(steps: Sequence[Step]) -> bytes:
    """Pickle what handlers need to know: ordered stages stay here, and what they import."""
    steps = [replace(step, stages=()) if step.kind is StepKind.ORDERED else step for step in steps]
    for step in steps:
        for name, stage in step.stages:
            try:
                pickle.dumps(stage)
            except Exception as error:
                raise PipelineError(
                    f"stage {name!r} cannot be sent to a handler process: {error}; make in open() "
                    "what cannot be pickled, take it away again in close() if the stage is used "
                    "more than once, and define its class in a module"
                ) from error
    return pickle.dumps(steps)
