"""Files locked by a process, for others to see that it lives: the kernel frees them when it dies.

Whoever holds a lock may remove or rename the file; who waits to open it then has another one than
the path leads to, so that a lock counts only where `leads_to` says so.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["leads_to", "try_lock"]


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file, unless somebody else has it; return whether that was done.

    Args:
        descriptor: Of the file; the lock lasts as long as this and its copies are open.
        shared: Others may have a shared lock, too.

    Raises:
        OSError: The file system has no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def leads_to(path: Path, descriptor: int) -> bool:
    """Tell whether a path leads to an open file, and not to another one or to none."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
