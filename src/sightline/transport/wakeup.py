"""Waking a thread that waits for file descriptors, from another thread."""

from __future__ import annotations

import os
import threading

__all__ = ["Wakeup"]


class Wakeup:
    """A file descriptor that is readable from `set()` to `clear()`; any thread may set it."""

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe()
        self._is_set = False
        self._is_closed = False
        self._lock = threading.Lock()  # so that there is a byte in the pipe if, and only if, set

    def set(self) -> None:
        """Wake the waiting thread; costs a system call only if it was not woken already."""
        if not self._is_set:
            with self._lock:
                if not (self._is_set or self._is_closed):
                    # Before the byte: who is woken by it looks, and would else wake in vain.
                    self._is_set = True
                    os.write(self._write_fd, b"\0")

    def clear(self) -> None:
        """Go back to sleep; call it before looking at what there is to do, so none is missed."""
        if self._is_set:
            with self._lock:
                os.read(self.fd, 1)
                self._is_set = False

    def close(self) -> None:
        """Close both ends; `set()` does nothing from then on."""
        with self._lock:
            self._is_closed = True
            os.close(self.fd)
            os.close(self._write_fd)
