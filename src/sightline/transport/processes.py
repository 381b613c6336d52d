"""Child processes: started, watched, killed. It knows nothing of what they do.

They are forked from a clean server process that has our modules loaded ("forkserver"): a new one
is there in some 20 ms instead of a second, and no thread of the user's process is in its way.
"""

from __future__ import annotations

import selectors
import time
from multiprocessing.context import ForkServerContext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.process import BaseProcess

__all__ = ["Children"]


class Children:
    """Processes by identity. Used by one thread.

    Args:
        preload: Modules that the server process loads before it forks the first child; it is one
            for the whole program, so that only the first `Children` that start one are heard.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._context = ForkServerContext()
        self._context.set_forkserver_preload(["__main__", *preload])
        self._processes: dict[bytes, BaseProcess] = {}
        self._leaving: dict[bytes, float] = {}
        self._selector = selectors.DefaultSelector()

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._processes

    def start(self, identity: bytes, main: Callable[[Any], None], options: Any) -> None:
        """Start a process that calls `main(options)`; both must be picklable."""
        process = self._context.Process(
            target=main, args=(options,), name=f"sightline-{identity.decode()}", daemon=True
        )
        process.start()
        self._processes[identity] = process
        self._selector.register(process.sentinel, selectors.EVENT_READ)

    @property
    def fd(self) -> int:
        """A file descriptor that is readable while there is a process to be buried."""
        return self._selector.fileno()

    @property
    def identities(self) -> list[bytes]:
        """Every child that is there."""
        return list(self._processes)

    @property
    def pids(self) -> dict[str, int]:
        """Process numbers by identity."""
        return {who.decode(): p.pid for who, p in self._processes.items() if p.pid is not None}

    def take_dead(self) -> dict[bytes, int]:
        """Forget the processes that have died; return their exit statuses."""
        dead = {who: p for who, p in self._processes.items() if not p.is_alive()}
        statuses = {}
        for who, process in dead.items():
            statuses[who] = process.exitcode or 0
            del self._processes[who]
            self._selector.unregister(process.sentinel)
            process.close()
        return statuses

    def expect_end(self, identity: bytes, until_s: float) -> None:
        """Note that a process was asked to end by this time, on the monotonic clock."""
        if identity in self._processes:
            self._leaving[identity] = until_s

    def kill_late(self, now_s: float) -> None:
        """Kill the processes that should have ended by themselves."""
        for identity in [who for who, until_s in self._leaving.items() if now_s > until_s]:
            del self._leaving[identity]
            self.kill(identity)

    def kill(self, identity: bytes) -> None:
        """Kill a process; it counts as dead a moment later."""
        if process := self._processes.get(identity):
            process.kill()

    def terminate(self, identity: bytes) -> None:
        """Send a process SIGTERM."""
        if process := self._processes.get(identity):
            process.terminate()

    def end(self, identities: Iterable[bytes], *, timeout_s: float) -> None:
        """Wait for processes to end by themselves, then kill what is left."""
        until = time.monotonic() + timeout_s
        for who in list(identities):
            process = self._processes.pop(who, None)
            if process is None:
                continue
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            self._selector.unregister(process.sentinel)
            process.close()

    def end_all(self, *, timeout_s: float) -> None:
        """End every process."""
        self.end(list(self._processes), timeout_s=timeout_s)
        self._selector.close()
