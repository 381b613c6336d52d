"""A Redis of one's own for a benchmark: a process on a free port, gone when the block is left."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["broker_or_own", "own_redis"]

_PROGRAM = "redis-server"
_START_S = 30.0
_PAUSE_S = 0.02
_END_S = 10.0


def broker_or_own(url: str | None) -> AbstractContextManager[str]:
    """Give the address of a broker: the one that was named, or of a Redis of one's own.

    Raises:
        SightlineError: There is none, and none can be started.
    """
    return own_redis() if url is None else nullcontext(url)


@contextmanager
def own_redis() -> Iterator[str]:
    """Run a Redis that keeps nothing; give its address.

    Raises:
        SightlineError: It is not installed, or does not start.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise SightlineError(
            f"there is no {_PROGRAM} to start: install Redis, or name a broker with --broker URL"
        )
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with (Path(folder) / "output.txt").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - a fixed command
                [*command, "--appendonly", "no"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_it_answers(process, port, Path(output.name))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline_s:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as caller:
            caller.sendall(b"PING\r\n")
            if caller.recv(16).startswith(b"+PONG"):
                return
        time.sleep(_PAUSE_S)
    said = output.read_text(errors="replace").strip().splitlines()
    raise SightlineError(f"{_PROGRAM} does not start on port {port}: {said[-1] if said else ''}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
