"""Three processes for one load: they are started, introduced to each other, and ended.

Every process first tells the address that it listens on, then learns those of the others; so
nobody sends before all are there. The sink ends by handing in its samples.
"""

from __future__ import annotations

import multiprocessing
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from sightline.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from sightline.bench.hop.load import HopLoad, Samples

    Role = Callable[[HopLoad, "Seat"], None]

__all__ = ["IDLE_MS", "SINK", "Peers", "Seat", "make_context", "run_processes"]

SINK = "sink"
IDLE_MS = 15_000
"""A process that has received nothing for so long takes the rest as lost, and ends."""

_START_S = 60.0
_RUN_S = 600.0
_END_S = 5.0


class Peers(NamedTuple):
    """What a process knows of all three.

    Attributes:
        addresses: By role, the address that it listens on; empty if on none.
        pids: Process numbers of all.
    """

    addresses: Mapping[str, str]
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A process's line to the benchmark."""

    _line: Connection

    def meet(self, address: str = "") -> Peers:
        """Tell the own address, wait for all, and learn theirs."""
        self._line.send(address)
        peers: Peers = self._line.recv()
        return peers

    def stay(self) -> None:
        """Wait until the sink is done, so that no process ends while its time is taken."""
        self._line.poll(_RUN_S)

    def report(self, samples: Samples) -> None:
        """Hand in what the sink saw."""
        self._line.send(samples)


def make_context(*, queued: int) -> zmq.Context[zmq.Socket[bytes]]:
    """Make a ZeroMQ context whose sockets give up on a peer that is gone.

    Args:
        queued: Messages that a socket may queue.
    """
    context = zmq.Context()
    context.sndhwm = context.rcvhwm = queued
    context.sndtimeo = context.rcvtimeo = context.linger = IDLE_MS
    return context


def run_processes(load: HopLoad, roles: Mapping[str, Role]) -> Samples:
    """Run each role in a process of its own until the one named `SINK` hands in its samples.

    Args:
        load: What the processes are to do.
        roles: By name, the work of a process; it can be pickled, and returns when the load is done.

    Raises:
        GraphError: A process failed, or took too long.
    """
    context = multiprocessing.get_context("spawn")
    lines: dict[str, Connection] = {}
    processes: dict[str, SpawnProcess] = {}
    with ExitStack() as ending:
        for name, role in roles.items():
            lines[name], far_end = context.Pipe()
            process = context.Process(
                target=role, args=(load, Seat(far_end)), name=name, daemon=True
            )
            process.start()
            far_end.close()
            processes[name] = process
            ending.callback(_end, process)
            ending.callback(lines[name].close)
        addresses = {name: _receive(line, name, _START_S) for name, line in lines.items()}
        pids = tuple(process.pid or 0 for process in processes.values())
        for line in lines.values():
            line.send(Peers(addresses, pids))
        samples: Samples = _receive(lines[SINK], SINK, _RUN_S)
        return samples


def _receive(line: Connection, name: str, timeout_s: float) -> Any:
    try:
        if line.poll(timeout_s):
            return line.recv()
    except (EOFError, ConnectionResetError) as error:
        raise GraphError(f"the {name} of the benchmark died: see its traceback above") from error
    raise GraphError(f"the {name} of the benchmark said nothing for {timeout_s:.0f} s")


def _end(process: SpawnProcess) -> None:
    """Wait until a process has ended by itself, but not for long."""
    process.join(_END_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    process.close()
