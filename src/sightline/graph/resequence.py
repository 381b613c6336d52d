"""Outcomes that come in any order, released in the order of their frames, stream by stream.

It knows numbers only: no sockets, threads or clocks. It waits for every number from the first one
on, so whoever admits a frame owes it an outcome, be it that the frame was dropped or failed.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Resequencer"]

T = TypeVar("T")


class _Stream(Generic[T]):
    """Where one stream stands."""

    __slots__ = ("count", "epochs", "newest_epoch", "newest_first", "next_seq", "waiting")

    def __init__(self, epoch: int, first_seq: int) -> None:
        self.next_seq = first_seq  # all before it have been released
        self.waiting: dict[int, T] = {}
        self.newest_epoch = epoch
        self.newest_first = first_seq
        self.epochs: dict[int, range] = {}  # the numbers of earlier epochs
        self.count: int | None = None

    def expects(self, epoch: int, seq: int) -> bool:
        """Tell whether a number is part of an epoch."""
        if epoch == self.newest_epoch:
            return seq >= self.newest_first
        return seq in self.epochs.get(epoch, ())


class Resequencer(Generic[T]):
    """Puts the outcomes of frames back in order, once each.

    Numbers go on from one epoch of a stream to the next: those below the first of an epoch belong
    to earlier ones, and are released before it.

    Attributes:
        duplicates: Outcomes that were turned away, since their frame had one already or is no
            part of the stream any more.

    >>> outcomes = Resequencer()
    >>> outcomes.begin("cam", epoch=1, first_seq=0)
    >>> outcomes.accept("cam", 1, 1, "second")
    []
    >>> outcomes.accept("cam", 1, 0, "first")
    ['first', 'second']
    """

    def __init__(self) -> None:
        self._streams: dict[str, _Stream[T]] = {}
        self.duplicates = 0

    def begin(self, stream: str, *, epoch: int, first_seq: int) -> None:
        """Await an epoch, once all numbers below its first one have been released.

        Raises:
            ValueError: The epoch is not newer than the last one, or numbers from `first_seq` on
                have an outcome already.
        """
        state = self._streams.get(stream)
        if state is None:
            self._streams[stream] = _Stream(epoch, first_seq)
            return
        if epoch <= state.newest_epoch:
            raise ValueError(f"{stream}: epoch {epoch} cannot follow epoch {state.newest_epoch}")
        used = max(state.waiting, default=state.next_seq - 1)
        if first_seq <= max(used, state.newest_first - 1):
            raise ValueError(f"{stream}: epoch {epoch} cannot start at {first_seq}, after {used}")
        state.epochs[state.newest_epoch] = range(state.newest_first, first_seq)
        state.newest_epoch, state.newest_first = epoch, first_seq
        state.count = None

    def forget(self, stream: str) -> None:
        """Drop a stream and what waits in it; outcomes that still come count as duplicates."""
        self._streams.pop(stream, None)

    def accept(self, stream: str, epoch: int, seq: int, outcome: T) -> list[T] | None:
        """Take the outcome of a frame.

        Returns:
            The outcomes whose turn it now is, in order; empty if an earlier number is awaited.
            None if this one is turned away: the frame has an outcome, or its stream or epoch is
            over.

        Raises:
            ValueError: The epoch has not begun.
        """
        state = self._streams.get(stream)
        if state is None or seq < state.next_seq or seq in state.waiting:
            self.duplicates += 1
            return None
        if not state.expects(epoch, seq):
            if epoch > state.newest_epoch:
                raise ValueError(f"{stream}: epoch {epoch} has not begun")
            self.duplicates += 1
            return None
        if seq > state.next_seq:
            state.waiting[seq] = outcome
            return []
        return _release(state, outcome)

    def end(self, stream: str, *, count: int) -> None:
        """Tell that the numbers of a stream end below `count`; a new epoch takes that back."""
        self._of(stream).count = count

    def is_complete(self, stream: str) -> bool:
        """Tell whether a stream has ended and all of its outcomes have been released."""
        state = self._of(stream)
        return state.count is not None and state.next_seq >= state.count

    def pending(self, stream: str) -> int:
        """Count the outcomes that wait for an earlier one."""
        return len(self._of(stream).waiting)

    def next_seq(self, stream: str) -> int:
        """Name the number that is released next."""
        return self._of(stream).next_seq

    def _of(self, stream: str) -> _Stream[T]:
        try:
            return self._streams[stream]
        except KeyError:
            raise ValueError(f"no stream {stream!r} has begun") from None


def _release(state: _Stream[T], outcome: T) -> list[T]:
    released = [outcome]
    seq = state.next_seq + 1
    waiting = state.waiting
    while seq in waiting:
        released.append(waiting.pop(seq))
        seq += 1
    state.next_seq = seq
    if state.epochs and seq >= state.newest_first:
        state.epochs.clear()
    return released
