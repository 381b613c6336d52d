"""What a process knows about its machine: who shares its memory, and which processes live.

It does not know what the processes do.
"""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import uuid
from functools import cache
from pathlib import Path
from typing import Self

from sightline.transport.segment import segment_folder

__all__ = ["ProcessWatch", "die_with_parent", "host_id"]

_PR_SET_PDEATHSIG = 1


@cache
def host_id() -> str:
    """Name the machine as far as processes can share memory on it.

    The same string means: the same machine since it was started, the same /dev/shm, the same
    process ids, the same user. Two containers on one machine have different ones.
    """
    user = os.geteuid()
    if sys.platform != "linux":
        return f"{uuid.getnode():012x}-{user}"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    memory = segment_folder().stat().st_dev
    processes = Path("/proc/self/ns/pid").stat().st_ino
    return f"{boot}-{memory}-{processes}-{user}"


class ProcessWatch:
    """Tells of a process's end through a file descriptor: it is readable once the process is dead.

    The process may be anybody's child. A context manager; Linux only.
    """

    def __init__(self, pid: int) -> None:
        """Watch a process.

        Raises:
            ProcessLookupError: There is no such process, or no longer.
            NotImplementedError: The system has no such descriptors; watch for missing heartbeats.
        """
        if not hasattr(os, "pidfd_open"):
            raise NotImplementedError("only Linux tells of the end of another process")
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Return the descriptor, to poll for reading; nothing can be read from it."""
        return self._descriptor

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def die_with_parent() -> None:
    """End this process at once when its parent ends, however that ends. Call it first thing.

    A child made with multiprocessing dies with the process that made it, and with the fork server
    if one stands between them. On Linux it is the kernel that kills, so that a child dies, too,
    that is busy in a C function. A process started in another way dies with the *thread* that
    started it (Linux only).
    """
    parent = multiprocessing.parent_process()
    if sys.platform == "linux" and (parent is None or parent.pid != os.getppid()):
        # The signal comes when the thread ends that forked; a fork server has only one. Without
        # its fork server a child would live on, but nobody would hear of its end.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is None:
        return
    sentinel = parent.sentinel
    if sys.platform == "linux":
        # A fork server outlives the parent as long as it has children, so its end is no sign. The
        # sentinel is the read end of a pipe: have the kernel signal when the write end closes.
        fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    threading.Thread(target=_exit_after, args=(sentinel,), name="parent-watch", daemon=True).start()


def _exit_after(sentinel: int) -> None:
    """End this process when a descriptor is readable, also if it has been before it was asked."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
