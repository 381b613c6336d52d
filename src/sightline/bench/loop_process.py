"""The plain loop in a process of its own: with what its user gives it, and nothing of ours."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from sightline.bench.plain_loop import PlainLoop
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path
    from typing import Self

__all__ = ["LoopProcess"]


class LoopProcess:
    """A `PlainLoop` elsewhere; a context manager.

    In one process with the product it would have the product's memory: the huge pages that the
    detector asks for are those of the whole process.

    Args:
        model: As for `PlainLoop`.
        threads: As for `PlainLoop`.

    Raises:
        SightlineError: The loop cannot use the model.
    """

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, model, threads), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def run(self, video: Path) -> int:
        """Process a video; return the number of frames.

        Raises:
            SightlineError: The loop has ended.
        """
        self._pipe.send(video)
        return self._answer()

    def _answer(self) -> int:
        try:
            answer: int = self._pipe.recv()
        except EOFError:
            raise SightlineError("the plain loop has ended; what it said stands above") from None
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # which ends it
        self._process.join()


def _serve(pipe: Connection, model: Path, threads: int) -> None:
    loop = PlainLoop(model, threads=threads)
    pipe.send(0)
    while True:
        try:
            video = pipe.recv()
        except EOFError:
            return
        pipe.send(loop.run(video))
