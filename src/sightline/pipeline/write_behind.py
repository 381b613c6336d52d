"""Writing results in a thread of their own, so that no stage waits for a disk or an encoder."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from functools import partial
from queue import Full, Queue
from typing import TYPE_CHECKING

from sightline.errors import OutputError
from sightline.pipeline.ending import at_end
from sightline.pipeline.raised import error_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from sightline.frame import Frame
    from sightline.pipeline.report import StepTimes
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo

__all__ = ["WriteBehind"]

_POLL_S = 0.1
_PATIENCE_S = 5.0
"""How long Ctrl-C waits for the frame at hand to be written."""


class WriteBehind:
    """Feeds the frames of one stream to sinks, in order, from one thread; a context manager.

    Entering opens the sinks; leaving writes what is queued and closes them, so that outputs are
    valid for every frame that was accepted. If the block raised before any frame was accepted,
    the outputs are discarded instead: bad input leaves nothing behind.
    """

    def __init__(
        self, sinks: Sequence[Sink], stream: StreamInfo, *, window: int, times: StepTimes
    ) -> None:
        self._sinks = [(f"sink:{type(sink).__name__}", sink) for sink in sinks]
        self._stream = stream
        self._times = times
        self._queue: Queue[Frame | None] = Queue(window)
        self._accepted = 0
        self._is_given_up = False
        self._has_ended = threading.Event()  # a thread whose `join` Ctrl-C ended seems to be dead
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="sightline-writer", daemon=True)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for _, sink in self._sinks:
                sink.open(self._stream)
                stack.push(at_end(sink.discard))
            stack.push(at_end(partial(self._queue.put, None)))  # Ctrl-C may come while it starts
            self._thread.start()
            stack.pop_all()
        return self

    def put(self, frame: Frame) -> None:
        """Queue a frame for all sinks; blocks while the window is full.

        Raises:
            OutputError: A sink failed on an earlier frame.
        """
        while True:
            self._check()
            try:
                self._queue.put(frame, timeout=_POLL_S)
            except Full:
                continue
            self._accepted += 1
            return

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        in_vain = error is not None and self._accepted == 0
        with ExitStack() as stack:
            for name, sink in reversed(self._sinks):
                end = partial(self._discard if in_vain else self._close, name, sink)
                stack.push(at_end(end, after=error))
            stack.push(at_end(partial(self._check, known=error), after=error))
            self._end_thread()

    def _check(self, *, known: BaseException | None = None) -> None:
        """Raise what a sink failed with while it was written to, unless that is known."""
        if self._error is not None and self._error is not known:
            raise self._error

    def _end_thread(self) -> None:
        """Let the thread write what is queued, and end it; after Ctrl-C, the frame at hand only."""
        is_told = False
        try:
            while not self._has_ended.wait(_POLL_S if is_told else 0):
                with suppress(Full):
                    if not is_told:
                        self._queue.put(None, timeout=_POLL_S)
                        is_told = True
        except BaseException:
            self._is_given_up = True
            with suppress(Full):
                self._queue.put_nowait(None)
            self._has_ended.wait(_PATIENCE_S)
            raise
        self._thread.join()

    def _close(self, name: str, sink: Sink) -> None:
        if self._has_ended.is_set():  # or else it is in a sink, and stuck
            with self._times.measure(name):
                sink.close()

    def _discard(self, _name: str, sink: Sink) -> None:
        if self._has_ended.is_set():
            sink.discard()

    def _write(self) -> None:
        name = "a sink"
        try:
            while (frame := self._queue.get()) is not None and not self._is_given_up:
                for name, sink in self._sinks:
                    with self._times.measure(name):
                        sink.write(frame)
        except BaseException as raised:  # noqa: BLE001 - thread boundary: raised by put() or __exit__
            self._error = error_from(raised, OutputError, by=name)
        finally:
            self._has_ended.set()
