"""`sightline worker` as processes of a benchmark: started together, ready, ended together."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["WorkerPlace", "running_workers"]

_READY = "Sightline works on "
_START_S = 120.0
_END_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Where workers find their work.

    Attributes:
        broker: URL of the broker.
        database: URL of the database; its tables are up to date.
        folder: The data folder.
    """

    broker: str
    database: str
    folder: Path


@contextmanager
def running_workers(place: WorkerPlace, options: Sequence[Sequence[str]]) -> Iterator[list[int]]:
    """Run workers that take tasks; give their processes.

    They are killed at the end if they do not end by themselves.

    Args:
        place: Where they find their work.
        options: For each worker, what its command line says besides.

    Raises:
        SightlineError: One does not start.
    """
    started = []
    try:
        for number, some in enumerate(options):
            output = place.folder / f"worker-{number}.txt"
            started.append((_start(place, some, output), output))
        deadline_s = time.monotonic() + _START_S
        for process, output in started:
            _wait_until_ready(process, output, deadline_s)
        yield [process.pid for process, _ in started]
    finally:
        for process, _ in started:
            process.send_signal(signal.SIGTERM)
        for process, _ in started:
            _wait_for_end(process)


def _start(place: WorkerPlace, options: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sightline", "worker", "--broker", place.broker]
    command += ["--database", place.database, "--data", str(place.folder), "--drain-s", "0"]
    # No model is loaded that the work does not ask for.
    command += ["--detector", "motion", *options]
    with output.open("wb") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603 - our own command


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path, deadline_s: float) -> None:
    said = process.stdout
    left_s = max(0.0, deadline_s - time.monotonic())
    if said is not None and select.select([said], [], [], left_s)[0]:
        line = said.readline().decode(errors="replace")
        if line.startswith(_READY):
            return
    told = output.read_text(errors="replace").strip().splitlines()
    raise SightlineError(f"a worker of the benchmark does not start: {told[-1] if told else ''}")


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    with process:
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
