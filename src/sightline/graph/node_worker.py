"""The thread of a handler node that works, so that the main thread can talk meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sightline.errors import GraphError
from sightline.graph.workbench import Finished, Workbench, failure_of, told_failure
from sightline.transport.messages import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.graph.plan import Step
    from sightline.transport.link import Buffer
    from sightline.transport.messages import Work
    from sightline.transport.wakeup import Wakeup

__all__ = ["Piece", "Worker"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Work, with whom it came from.

    Attributes:
        origin: Who gave it; the worker just passes it on.
        work: What is to be done.
        payload: The image, if it lies in no slot.
        arrived_ns: When it came, on the monotonic clock.
    """

    origin: Any
    work: Work
    payload: Buffer | None
    arrived_ns: int


class Worker:
    """Takes pieces of work through the stages, in order.

    Args:
        steps: The plan of the pipeline.
        wakeup: Set whenever there is something to look at.

    Attributes:
        changes_image: Stages may make new images.
        batch_size: How many pieces are worth taking at once.
        is_open: The stages are open.
        error: Why they could not be, or what went wrong apart from a stage.
        finished: What is done; whoever reads it takes it away.
    """

    def __init__(self, steps: Sequence[Step], wakeup: Wakeup) -> None:
        self._bench = Workbench(steps)
        self._wakeup = wakeup
        self._queue: SimpleQueue[Piece | None] = SimpleQueue()
        self._is_stopped = False
        self.changes_image = self._bench.changes_image
        self.batch_size = self._bench.batch_size
        self.is_open = False
        self.error: BaseException | None = None
        self.finished: deque[tuple[Piece, Finished]] = deque()
        self._thread = threading.Thread(target=self._run, name="sightline-worker", daemon=True)

    def start(self) -> None:
        """Open the stages and work, in a thread."""
        self._thread.start()

    def put(self, piece: Piece) -> None:
        """Queue a piece of work."""
        self._queue.put(piece)

    def stop(self) -> None:
        """Have it leave after what it has at hand."""
        self._is_stopped = True
        self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for it to leave: libraries may abort a process that ends while they are at work."""
        self._thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """Whether it has not left."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._bench:
                self.is_open = True
                self._wakeup.set()
                while not self._is_stopped:
                    self._work()
        except BaseException as error:  # noqa: BLE001 - thread boundary: raised in the main thread
            self.error = error
        self._wakeup.set()

    def _work(self) -> None:
        """Do what has come, as much as makes a batch; wait for it."""
        pieces = [self._queue.get()]
        while len(pieces) < self.batch_size and not self._queue.empty():
            pieces.append(self._queue.get())
        there = [piece for piece in pieces if piece is not None]
        for _, group in groupby(there, key=lambda piece: piece.origin):
            self._do(list(group))
        self._wakeup.set()

    def _do(self, pieces: list[Piece]) -> None:
        by_key = {piece.work.frame.key: piece for piece in pieces}
        try:
            done = self._bench.process([(piece.work, piece.payload) for piece in pieces])
        except GraphError as error:  # the memory of a source that is gone, or a malformed frame
            done = [_failed(piece.work, error) for piece in pieces]
        for finished in done:
            self.finished.append((by_key[finished.result.frame.key], finished))


def _failed(work: Work, error: GraphError) -> Finished:
    now_ns = time.monotonic_ns()
    failure = told_failure(failure_of(work.frame.seq, "graph", error))
    return Finished(
        result=Result(work.frame, work.step, failure=failure, started_ns=now_ns, ended_ns=now_ns)
    )
