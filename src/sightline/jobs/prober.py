"""Runs the processes that look at strangers' videos, and says what came of them.

Every video gets a fresh process, so that nothing of one reaches the next. Starting one takes about
half a second, nearly all of it to load libraries; so one is started ahead, and waits. It costs
its memory, and the processor time of the start after every video instead of before it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sightline.jobs.probe import ProbeAnswer
from sightline.jobs.sniff import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from sightline.jobs.inspection import Inspection, InspectionRequest
    from sightline.jobs.limits import MediaLimits

__all__ = ["Probe", "Prober"]

_TICK_MS = 250
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Prober:
    """Starts the processes; any number of threads may use it. Close it at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._ready: Probe | None = None
        self._restock()

    @contextmanager
    def probing(self, request: InspectionRequest) -> Iterator[Probe]:
        """Have a process look at a video while entered."""
        with self._lock:
            probe, self._ready = self._ready, None
        try:
            if probe is not None and not probe.alive:
                probe.close()
                probe = None
            with probe or Probe() as taken:
                taken.ask(request)
                yield taken
        finally:
            self._restock()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the next process can begin at once; False if that takes longer."""
        with self._lock:
            return self._ready is not None and self._ready.wait_ready(timeout_s)

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            self._closed = True
            if self._ready is not None:
                self._ready.close()
                self._ready = None

    def _restock(self) -> None:
        with self._lock:
            if self._ready is None and not self._closed:
                self._ready = Probe()


class Probe:
    """One process: asked once, and ended when it is closed."""

    def __init__(self) -> None:
        # A file, because the process may not write large ones; a pipe would have no limit.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._loading, theirs = os.pipe()
        folder = Path(tempfile.mkdtemp(prefix="sightline-probe-"))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - nothing of a stranger's is in it
                [sys.executable, "-I", "-m", "sightline.jobs.probe", str(theirs)],
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=_ENVIRONMENT,
                pass_fds=[theirs],
            )
        except BaseException:
            self._output.close()
            os.close(self._loading)
            raise
        finally:
            os.close(theirs)
            folder.rmdir()  # the process is in a folder that nothing can be put into
        self._asked_s = 0.0
        self._limits: MediaLimits | None = None

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it has loaded what it needs, or has died; False if that takes longer."""
        poller = select.poll()
        poller.register(self._loading, select.POLLIN)
        return bool(poller.poll(1000 * timeout_s))

    def ask(self, request: InspectionRequest) -> None:
        """Say what to look at; it begins at once."""
        self._limits, self._asked_s = request.limits, time.monotonic()
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            pipe.write(msgspec.json.encode(request) + b"\n")

    def result(self, *, tick: Callable[[], object]) -> Inspection:
        """Wait for the answer.

        Args:
            tick: Called a few times a second; what it raises ends the waiting.

        Raises:
            SourceError: The video cannot be used.
        """
        limits = self._limits
        assert limits is not None, "ask first"
        handle = os.pidfd_open(self._process.pid)
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            while not poller.poll(_TICK_MS):
                tick()
                if time.monotonic() - self._asked_s > limits.wall_s:
                    raise _beyond(f"takes longer than {limits.wall_s:g} s")
        finally:
            os.close(handle)
        self._check_exit(self._process.wait(), limits)
        self._output.seek(0)
        return _inspection(self._output.read())

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._output.close()
        os.close(self._loading)

    def _check_exit(self, status: int, limits: MediaLimits) -> None:
        if status == -signal.SIGXCPU:
            raise _beyond(f"takes more than {limits.cpu_s} s of processor time")
        if status == -signal.SIGKILL:
            raise _beyond("was ended by the system, most likely because it takes too much memory")
        if status == -signal.SIGALRM:
            raise _beyond(f"takes longer than {limits.wall_s:g} s")
        if status < 0:
            raise SourceError(
                "the video makes its decoder crash; convert it to another format",
                code="source-unreadable",
            )
        if status > 0:
            raise RuntimeError(f"the process that looks at videos failed with status {status}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _beyond(what: str) -> SourceError:
    return SourceError(f"looking at the video {what}", code="source-over-limit")


def _inspection(output: bytes) -> Inspection:
    answer = msgspec.json.decode(output, type=ProbeAnswer)
    if answer.refused is not None:
        raise SourceError(answer.refused.message, code=answer.refused.code)
    assert answer.found is not None
    return answer.found
