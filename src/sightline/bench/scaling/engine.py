"""A small simulation of events: processes that take time, and stations where they queue.

A process is a generator. It yields how many seconds it lets pass, or a `Station` that it wants a
place at; whoever has a place gives it back with `release`. Events at the same moment come in the
order in which they were made, so a run depends on nothing but its input.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from typing import TypeAlias

__all__ = ["Engine", "Process", "Signal", "Station", "serve"]


class Station:
    """Some places, and a queue of processes that wait for one.

    Args:
        engine: Whose time it keeps.
        places: How many are served at once.
    """

    __slots__ = ("_busy", "_busy_s", "_changed_s", "_engine", "_queue", "places")

    def __init__(self, engine: Engine, places: int = 1) -> None:
        if places < 1:
            raise ValueError(f"a station needs at least 1 place, but has {places}")
        self.places = places
        self._engine = engine
        self._queue: deque[Process] = deque()
        self._busy = 0
        self._busy_s = 0.0
        self._changed_s = 0.0

    def take(self, process: Process) -> None:
        """Give a process a place as soon as there is one."""
        if self._busy < self.places:
            self._count(1)
            self._engine.resume(process)
        else:
            self._queue.append(process)

    def release(self) -> None:
        """Give a place to who waits longest."""
        if self._queue:
            self._engine.resume(self._queue.popleft())
        else:
            self._count(-1)

    def busy_s(self) -> float:
        """Say for how long places were taken so far, all together."""
        return self._busy_s + self._busy * (self._engine.now_s - self._changed_s)

    def _count(self, change: int) -> None:
        now_s = self._engine.now_s
        self._busy_s += self._busy * (now_s - self._changed_s)
        self._changed_s = now_s
        self._busy += change


class Signal:
    """Something that happens once; processes that yield it go on then, or at once if it has.

    Args:
        engine: Whose time it keeps.
    """

    __slots__ = ("_engine", "_has_come", "_waiting")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._has_come = False
        self._waiting: list[Process] = []

    def take(self, process: Process) -> None:
        """Have a process wait."""
        if self._has_come:
            self._engine.resume(process)
        else:
            self._waiting.append(process)

    def give(self) -> None:
        """Let it happen."""
        self._has_come = True
        for process in self._waiting:
            self._engine.resume(process)
        self._waiting.clear()


Process: TypeAlias = Generator["float | Station | Signal", None, None]


class Engine:
    """The clock, and what happens next.

    Attributes:
        now_s: The time in the simulation.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Process]] = []
        self._number = 0

    def resume(self, process: Process, after_s: float = 0.0) -> None:
        """Let a process go on after some time; also how one begins."""
        self._number += 1
        heapq.heappush(self._events, (self.now_s + after_s, self._number, process))

    def run(self, until_s: float = float("inf")) -> None:
        """Let time pass until nothing more happens, or until a moment."""
        events = self._events
        while events and events[0][0] <= until_s:
            self.now_s, _, process = heapq.heappop(events)
            wanted = next(process, None)
            if wanted is None:
                continue
            if isinstance(wanted, float):
                self.resume(process, wanted)
            else:
                wanted.take(process)


def serve(station: Station, seconds: float) -> Process:
    """Queue at a station and be served there; for `yield from`."""
    yield station
    yield seconds
    station.release()
