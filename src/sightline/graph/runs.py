"""Finding the graphs that run on this machine, and talking to one of them from another process.

The other end of `control`, which describes what is said.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sightline.errors import GraphError, LinkError
from sightline.graph.control import SOCKET_NAME
from sightline.graph.telling import error_of
from sightline.pipeline.stream_spec import stream_spec_as_dict
from sightline.transport.messages import NodeError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.pipeline.stream_spec import StreamSpec

__all__ = ["ControlClient", "RunInfo", "SilentRun", "find_run", "list_runs", "look_for_runs"]

_log = logging.getLogger(__name__)

_RUN_ID = re.compile(r"[0-9a-f]{12}")
_CONNECT_S = 2.0
_ANSWER_S = 15.0
_POLL_S = 0.05
_READ_BYTES = 64 * 1024
_CREDENTIALS = struct.Struct("3i")  # pid, user, group: struct ucred of unix(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A graph that runs on this machine.

    Attributes:
        run_id: Name of the run.
        pid: Process that it belongs to.
        started: When it was started, in seconds since 1970.
        stages: Names of its stages.
    """

    run_id: str
    pid: int
    started: float
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentRun:
    """A graph that is there and does not answer, as when its process is stopped.

    Attributes:
        run_id: Name of the run.
        pid: Process that it belongs to; None: that cannot be told.
    """

    run_id: str
    pid: int | None

    def __str__(self) -> str:
        """Say what is known of it, and what can be done."""
        if self.pid is None:
            return f"run {self.run_id} does not answer"
        return (
            f"run {self.run_id} (process {self.pid}) does not answer; if it is stopped, "
            f"`kill -CONT {self.pid}` lets it go on, and `kill -KILL {self.pid}` ends it for good"
        )


class ControlClient:
    """A connection to a running graph; a context manager.

    Args:
        run_id: Name of the run.
        base: The folder of runs; see `default_base`.
        timeout_s: How long to wait for each answer.

    Raises:
        LinkError: There is no such run.
        GraphError: It does not answer.
    """

    def __init__(self, run_id: str, base: Path, *, timeout_s: float = _ANSWER_S) -> None:
        self.run_id = run_id
        self._timeout_s = timeout_s
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_CONNECT_S)
        try:
            self._socket.connect(str(base / run_id / SOCKET_NAME))
        except (BlockingIOError, TimeoutError) as error:  # too many wait to be let in
            self._socket.close()
            raise GraphError(f"run {run_id} does not answer") from error
        except OSError as error:
            self._socket.close()
            raise LinkError(f"there is no run {run_id!r}") from error

    @property
    def pid(self) -> int | None:
        """Process at the other end, whether it answers or not; None where that cannot be told."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        told = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(told)[0])

    def info(self) -> RunInfo:
        """Ask who and what this run is."""
        told = self._ask("info")
        return RunInfo(**{**told, "stages": tuple(told["stages"])})

    def stats(self) -> dict[str, Any]:
        """Ask for the account; see `GraphRun.stats`."""
        stats: dict[str, Any] = self._ask("stats")
        return stats

    def add(self, spec: StreamSpec) -> str:
        """Add a stream; return its name, a stand-in until it is open if the spec has none.

        Raises:
            GraphError: The name is taken, or the graph is over.
            PipelineError: The source cannot be named in JSON.
        """
        return str(self._ask("add", source=stream_spec_as_dict(spec)))

    def remove(self, stream: str) -> None:
        """End a stream.

        Raises:
            GraphError: There is no such stream, or the graph is over.
        """
        self._ask("remove", stream=stream)

    def replace(self, stream: str, spec: StreamSpec) -> None:
        """Take the frames of a stream from another source; see `GraphRun.replace`.

        Raises:
            GraphError: There is no such stream, it is at its end, or the graph is over.
        """
        self._ask("replace", stream=stream, source=stream_spec_as_dict(spec))

    def change(self, stage: str, /, **parameters: Any) -> None:
        """Change parameters of a stage.

        Raises:
            GraphError: There is no such stage, or the graph is over.
            PipelineError: A parameter is not changeable, or a value is wrong.
        """
        self._ask("change", stage=stage, parameters=parameters)

    def stop(self) -> None:
        """Stop the run; returns when its outputs are closed.

        Raises:
            GraphError: It does not end in time.
        """
        self._ask("stop")
        until_s = time.monotonic() + self._timeout_s
        with suppress(LinkError):  # it disconnects at its end
            while not self.stats()["over"]:
                if time.monotonic() > until_s:
                    raise GraphError(
                        f"run {self.run_id} has not ended within {self._timeout_s:g} s"
                    )
                time.sleep(_POLL_S)

    def close(self) -> None:
        """Leave; the run goes on."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, what: str, **about: Any) -> Any:
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(json.dumps({"do": what, **about}).encode() + b"\n")
            answer = json.loads(self._read_line())
        except TimeoutError as error:
            raise GraphError(
                f"run {self.run_id} has not answered within {self._timeout_s:g} s"
            ) from error
        except OSError as error:
            raise LinkError(f"run {self.run_id} is over") from error
        if not answer["ok"]:
            raise error_of(NodeError(kind=answer["error"], message=answer["message"]))
        return answer["result"]

    def _read_line(self) -> bytes:
        parts = [self._rest]
        deadline_s = time.monotonic() + self._timeout_s
        while b"\n" not in parts[-1]:
            if time.monotonic() > deadline_s:
                raise TimeoutError
            parts.append(self._socket.recv(_READ_BYTES))
            if not parts[-1]:
                raise ConnectionResetError
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line


def look_for_runs(base: Path) -> list[RunInfo | SilentRun]:
    """List the graphs that run in a folder of runs, oldest first, after those that do not answer.

    Those that are just starting or ending are left out.
    """
    folders = (path.name for path in base.iterdir()) if base.is_dir() else ()
    asked = (_ask_who(name, base) for name in folders if _RUN_ID.fullmatch(name))
    found = [run for run in asked if run is not None]
    return sorted(found, key=lambda run: run.started if isinstance(run, RunInfo) else 0.0)


def list_runs(base: Path) -> list[RunInfo]:
    """List the graphs that run in a folder of runs and answer, oldest first."""
    return [run for run in look_for_runs(base) if isinstance(run, RunInfo)]


def find_run(base: Path, name: str | None) -> RunInfo:
    """Find a run by the beginning of its name; without a name, the only one.

    Raises:
        GraphError: There is none, or more than one, or it does not answer.
    """
    runs = [run for run in look_for_runs(base) if run.run_id.startswith(name or "")]
    if not runs:
        wanted = "no graph runs" if name is None else f"there is no run {name!r}"
        raise GraphError(f"{wanted}; `sightline ps` lists those that do")
    if len(runs) > 1:
        names = ", ".join(run.run_id for run in runs)
        raise GraphError(f"{len(runs)} runs fit: {names}; name one")
    (run,) = runs
    if isinstance(run, SilentRun):
        raise GraphError(str(run))
    return run


def _ask_who(run_id: str, base: Path) -> RunInfo | SilentRun | None:
    """Ask a run who it is; None: it is just starting or ending."""
    pid = None
    try:
        with ControlClient(run_id, base, timeout_s=_CONNECT_S) as client:
            pid = client.pid
            return client.info()
    except LinkError as error:
        _log.info("run left out run=%s reason=%s", run_id, error)
        return None
    except GraphError as error:
        _log.info("run is silent run=%s pid=%s reason=%s", run_id, pid, error)
        return SilentRun(run_id=run_id, pid=pid)
