"""Huge pages for large memory: the processor then looks up fewer addresses.

A model's inference passes over tens of megabytes again and again. In pages of 4 KiB that takes
thousands of address translations, which in a virtual machine are dear; in pages of 2 MiB, few.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["prefer_huge_pages"]

_log = logging.getLogger(__name__)

_MAPS = Path("/proc/self/maps")
_HUGE = 2 << 20
_MADV_HUGEPAGE = 14  # <linux/mman.h>; in kernels since 2.6.38
_MADV_COLLAPSE = 25  # at once and not some time later; since 6.1


def prefer_huge_pages() -> int:
    """Ask for huge pages wherever this process has 2 MiB or more of anonymous memory in a row.

    Call it when what is to become fast has taken its memory. Contents stay as they are; systems
    that have no huge pages, or refuse them, change nothing.

    Returns:
        How many bytes were asked for; 0 where this is not Linux.
    """
    if sys.platform != "linux":
        return 0
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    asked = 0
    for start, end in _large_regions(_MAPS.read_text(encoding="utf-8", errors="replace")):
        # Another thread may unmap a region meanwhile: then the kernel says so, and no harm is done.
        if advise(start, end - start, _MADV_HUGEPAGE) == 0:
            advise(start, end - start, _MADV_COLLAPSE)
            asked += end - start
    _log.debug("huge pages asked_bytes=%d", asked)
    return asked


def _large_regions(maps: str) -> Iterator[tuple[int, int]]:
    """Find private, writable, anonymous regions, cut to whole huge pages.

    >>> list(_large_regions("7f0000100000-7f0000900000 rw-p 00000000 00:00 0 "))
    [(139637978824704, 139637985116160)]
    >>> list(_large_regions("7f0000100000-7f0000900000 r-xp 00000000 08:01 4711 /lib/x.so"))
    []
    """
    for line in maps.splitlines():
        addresses, rights, _, _, inode, *path = line.split(None, 5)
        if rights != "rw-p" or inode != "0" or (path and path[0].strip() not in ("", "[heap]")):
            continue
        first, last = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-first // _HUGE) * _HUGE, last // _HUGE * _HUGE
        if end > start:
            yield start, end
