"""How much processor time other processes have used, as Linux tells it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["clocked_s", "family", "used_s"]

_UTIME, _STIME = 11, 12
"""Of the fields of /proc/PID/stat that follow the name (proc(5): numbers 14 and 15)."""


def family(pid: int) -> list[int]:
    """List a process with its children, their children, and so on."""
    tasks = Path(f"/proc/{pid}/task")
    children = [int(one) for task in tasks.glob("*/children") for one in task.read_text().split()]
    return [pid, *(member for child in children for member in family(child))]


def used_s(pid: int) -> float:
    """Give the seconds that a process and those it has started have used since they began."""
    ticks = 0
    for member in family(pid):
        try:
            fields = (
                Path(f"/proc/{member}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            )
        except OSError:  # it has ended meanwhile
            continue
        ticks += int(fields[_UTIME]) + int(fields[_STIME])
    return ticks / os.sysconf("SC_CLK_TCK")


def clocked_s(pids: Sequence[int]) -> float:
    """Add up user and system time of all threads of living processes so far, in seconds.

    Linux makes the number of a process's clock from its pid, see clock_getcpuclockid(3); unlike
    /proc/PID/stat the clock counts nanoseconds, not ticks of 10 ms.
    """
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)
