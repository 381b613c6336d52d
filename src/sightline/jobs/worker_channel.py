"""What a worker process and its executor say to each other: words of a few bytes, whole or not.

    worker → executor   "ready"   it takes tasks           "busy"   it began a task
                        "moved"   its task reports         "idle"   it found no task
                        "news K"  there may be new tasks of the kinds K, separated by commas
    executor → worker   "wake"    there may be a task      "stop"   end after the current task

A lost word does no harm: an idle worker looks for tasks about once a second.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from sightline.jobs.states import TaskKind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Word", "WorkerChannel", "channel_pair"]

_LONGEST = 64


class Word(StrEnum):
    """What can be said."""

    READY = "ready"
    BUSY = "busy"
    MOVED = "moved"
    IDLE = "idle"
    NEWS = "news"
    WAKE = "wake"
    STOP = "stop"


class WorkerChannel:
    """One end. It can be passed to a new process; any thread may send.

    Attributes:
        is_closed: The other end is gone.
    """

    def __init__(self, end: socket.socket) -> None:
        self.is_closed = False
        self._socket = end

    def fileno(self) -> int:
        """Give the descriptor, to poll for reading."""
        return self._socket.fileno()

    def send(self, word: Word, kinds: Iterable[TaskKind] = ()) -> None:
        """Say something; never blocks, and nobody may hear it."""
        text = " ".join([word, ",".join(kinds)]) if word is Word.NEWS else word
        with suppress(BlockingIOError, ConnectionError, BrokenPipeError):
            self._socket.send(text.encode("ascii"), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def take(self) -> list[tuple[Word, frozenset[TaskKind]]]:
        """Give what was said since the last call; does not wait."""
        taken = []
        with suppress(BlockingIOError, ConnectionError):
            while data := self._socket.recv(_LONGEST, socket.MSG_DONTWAIT):
                word, _, kinds = data.decode("ascii").partition(" ")
                taken.append(
                    (Word(word), frozenset(map(TaskKind, kinds.split(",") if kinds else ())))
                )
            self.is_closed = True
        return taken

    def wait(self, timeout_s: float) -> None:
        """Wait until something is said."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.poll(1000 * timeout_s)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def channel_pair() -> tuple[WorkerChannel, WorkerChannel]:
    """Make the two ends of a channel."""
    # SEQPACKET keeps words apart; unlike DGRAM it tells when the other end is gone.
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return WorkerChannel(one), WorkerChannel(other)
