"""The control socket of a running graph: how other programs of its user look at it and steer it.

A stream socket in the run's folder, which nobody else can enter. A client sends requests, the
server answers each, all as one line of JSON:

    {"do": "info"}                                              who and what this run is
    {"do": "stats"}                                             what GraphRun.stats() returns
    {"do": "add", "source": SOURCE}                             the name of the new stream
    {"do": "remove", "stream": NAME}
    {"do": "replace", "stream": NAME, "source": SOURCE}         opens it, to change over then
    {"do": "change", "stage": NAME, "parameters": {NAME: VALUE, …}}
    {"do": "stop"}                                              begins to stop

    {"ok": true, "result": …}  or  {"ok": false, "error": CLASS, "message": TEXT}

SOURCE is written as in a pipeline file. The connection is closed when the run is over.
"""

from __future__ import annotations

import json
import logging
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from sightline.errors import GraphError, ProtocolError, SightlineError
from sightline.pipeline.stream_spec import parse_stream_spec
from sightline.transport.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.pipeline.stream_spec import StreamSpec

__all__ = ["SOCKET_NAME", "ControlServer", "Controlled"]

_log = logging.getLogger(__name__)

SOCKET_NAME = "control"
_MOST_CLIENTS = 16
"""When one more comes, the one that has been silent longest must go."""
_BACKLOG = 128
_MOST_REQUEST_BYTES = 64 * 1024
_READ_BYTES = 16 * 1024
_IDLE_S = 30.0
"""How long a client may send nothing, or not read its answers, before it is disconnected."""
_TICK_S = 1.0


class Controlled(Protocol):
    """What can be steered: a `GraphRun`."""

    def info(self) -> dict[str, Any]:
        """Say who and what this run is, without waiting for the graph."""

    def stats(self) -> dict[str, Any]:
        """Take a snapshot of the account."""

    def add(self, source: StreamSpec) -> str:
        """Add a stream."""

    def remove(self, stream: str) -> None:
        """End a stream."""

    def replace(self, stream: str, source: StreamSpec) -> None:
        """Take the frames of a stream from another source as soon as that is open."""

    def change(self, stage: str, /, **parameters: Any) -> None:
        """Change parameters of a stage."""

    def begin_stop(self) -> None:
        """Begin to stop, and return at once."""


class ControlServer:
    """Answers requests in a thread of its own until it is closed.

    Args:
        run: What to steer. The thread calls it; it does not wait for clients.
        address: Path of the socket; its folder must keep others out.

    Raises:
        GraphError: The socket cannot be made.
    """

    def __init__(self, run: Controlled, address: Path) -> None:
        self._run = run
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._wakeup = Wakeup()
        self._is_closing = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._listener.bind(str(address))
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self._release()
            raise GraphError(f"cannot listen at {address}: {error}") from error
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakeup.fd, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="sightline-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Disconnect all clients and end the thread; does nothing the second time."""
        if not self._is_closing:
            self._is_closing = True
            self._wakeup.set()
            self._thread.join()
            self._release()

    def _release(self) -> None:
        for client in list(self._clients):
            client.close()
        self._listener.close()
        self._selector.close()
        self._wakeup.close()

    def _serve(self) -> None:
        while not self._is_closing:
            for key, events in self._selector.select(_TICK_S if self._clients else None):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._clients:
                    self._attend(key.data, events)
            self._drop_idle(time.monotonic())

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._clients) >= _MOST_CLIENTS:
                self._disconnect(min(self._clients.values(), key=lambda client: client.active_s))
            connection.setblocking(False)  # noqa: FBT003 - a socket's own interface
            client = self._clients[connection] = _Client(connection, self._answer)
            self._selector.register(connection, client.interest, client)

    def _attend(self, client: _Client, events: int) -> None:
        try:
            client.attend(events)
        except OSError:
            client.is_done = True
        if client.is_done:
            self._disconnect(client)
        else:
            self._selector.modify(client.connection, client.interest, client)

    def _drop_idle(self, now_s: float) -> None:
        for client in list(self._clients.values()):
            if now_s - client.active_s > _IDLE_S:
                self._disconnect(client)

    def _disconnect(self, client: _Client) -> None:
        del self._clients[client.connection]
        self._selector.unregister(client.connection)
        client.connection.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        """Do what one line asks for."""
        try:
            return {"ok": True, "result": _perform(self._run, _parse(line))}
        except SightlineError as error:
            return _refusal(type(error).__name__, str(error))
        except TimeoutError:
            return _refusal("GraphError", "the graph does not answer in time")
        except Exception as error:  # noqa: BLE001 - request boundary: logged, and told the client
            _log.exception("request failed")
            return _refusal("GraphError", f"{type(error).__name__}: {error}")


class _Client:
    """One connection: what came and is no line yet, and what it has not read yet."""

    def __init__(
        self, connection: socket.socket, answer: Callable[[bytes], dict[str, Any]]
    ) -> None:
        self.connection = connection
        self.active_s = time.monotonic()
        self.is_done = False
        self._answer = answer
        self._incoming = bytearray()
        self._requests: deque[bytes] = deque()
        self._outgoing = memoryview(b"")
        self._is_last = False

    @property
    def interest(self) -> int:
        """Reads nothing more from a client that has not taken its answers."""
        return selectors.EVENT_WRITE if self._outgoing else selectors.EVENT_READ

    def attend(self, events: int) -> None:
        """Read or write what can be at once."""
        if events & selectors.EVENT_READ:
            self._receive()
        self._send()
        while self._requests and not self._outgoing:
            self._reply(self._answer(self._requests.popleft()))
            self._send()
        if self._is_last and not (self._outgoing or self._requests):
            self.is_done = True

    def _receive(self) -> None:
        received = self.connection.recv(_READ_BYTES)
        self.active_s = time.monotonic()
        if not received:
            self._is_last = True
            return
        *lines, rest = (self._incoming + received).split(b"\n")
        self._requests.extend(bytes(line) for line in lines)
        self._incoming = bytearray(rest)
        if len(rest) > _MOST_REQUEST_BYTES:
            self._incoming.clear()
            self._is_last = True
            limit = f"a request has at most {_MOST_REQUEST_BYTES} bytes"
            self._reply(_refusal("ProtocolError", limit))

    def _reply(self, answer: dict[str, Any]) -> None:
        self._outgoing = memoryview(json.dumps(answer, default=str).encode() + b"\n")

    def _send(self) -> None:
        while self._outgoing:
            try:
                sent = self.connection.send(self._outgoing)
            except BlockingIOError:
                return
            self._outgoing = self._outgoing[sent:]
            self.active_s = time.monotonic()


def _refusal(kind: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": kind, "message": message}


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a request is one line of JSON: {error}") from error
    if not isinstance(request, dict):
        raise ProtocolError("a request is a JSON object with the key 'do'")
    return request


_REQUESTS: dict[str, tuple[dict[str, type], Callable[..., Any]]] = {
    "info": ({}, lambda run: run.info()),
    "stats": ({}, lambda run: run.stats()),
    "add": ({"source": object}, lambda run, source: run.add(parse_stream_spec(source))),
    "remove": ({"stream": str}, lambda run, stream: run.remove(stream)),
    "replace": (
        {"stream": str, "source": object},
        lambda run, stream, source: run.replace(stream, parse_stream_spec(source)),
    ),
    "change": (
        {"stage": str, "parameters": dict},
        lambda run, stage, parameters: run.change(stage, **parameters),
    ),
    "stop": ({}, lambda run: run.begin_stop()),
}
"""What can be asked for: the keys that it needs besides `do`, and what is done."""


def _perform(run: Controlled, request: dict[str, Any]) -> Any:
    what = request.pop("do", None)
    if not isinstance(what, str) or what not in _REQUESTS:
        raise ProtocolError(f"'do' is one of {', '.join(_REQUESTS)}, but is {what!r}")
    kinds, perform = _REQUESTS[what]
    if request.keys() != kinds.keys():
        needed = " and ".join(kinds) or "nothing"
        raise ProtocolError(f"{what!r} needs {needed}, but got {', '.join(request) or 'nothing'}")
    for name, kind in kinds.items():
        if not isinstance(request[name], kind):
            raise ProtocolError(f"{name!r} of {what!r} must not be {request[name]!r}")
    return perform(run, **request)
