"""Whether a worker is alive and ready, over HTTP for those who started it.

`celery inspect ping` is no use for that: it costs seconds of processor time, and fails while the
broker is away although the worker is well.
"""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sightline.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from sightline.broker.attendant import Signs

__all__ = ["HealthServer", "reasons_not_alive", "reasons_not_ready"]

_LOOP_S = 60.0
_STORE_S = 20.0


def reasons_not_alive(signs: Signs, now_s: float) -> list[str]:
    """Say why the worker should be started anew; empty: it should not.

    >>> from sightline.broker.attendant import Signs
    >>> reasons_not_alive(Signs(loop_s=5.0, is_connected=True), 10.0)
    []
    >>> reasons_not_alive(Signs(loop_s=5.0, is_connected=True), 100.0)
    ['the event loop has not gone round for 95 s']
    >>> reasons_not_alive(Signs(loop_s=5.0, is_connected=False), 100.0)
    []
    """
    reasons = []
    # Celery tries to connect again outside of its event loop, for as long as that takes.
    is_standing = signs.is_connected and now_s - signs.loop_s > _LOOP_S
    if is_standing and not signs.is_leaving:
        reasons.append(f"the event loop has not gone round for {now_s - signs.loop_s:.0f} s")
    if signs.is_stalled:
        reasons.append("messages wait in the broker and do not come")
    return reasons


def reasons_not_ready(signs: Signs, now_s: float) -> list[str]:
    """Say why the worker takes no tasks now; empty: it does."""
    checks = {
        "it was told to end": signs.is_leaving,
        "there is no connection to the broker": not signs.is_connected,
        "the store does not answer": now_s - signs.store_s > _STORE_S,
        "no process of the pool runs": signs.processes == 0,
    }
    return [*reasons_not_alive(signs, now_s), *(why for why, holds in checks.items() if holds)]


class HealthServer:
    """Answers `GET /livez` and `GET /readyz`: 200, or 503 with reasons.

    Args:
        signs: What is known of the worker.
        host: Address to listen on.
        port: TCP port; 0 for a free one.

    Attributes:
        port: The port.

    Raises:
        OutputError: The port cannot be had.
    """

    def __init__(self, signs: Signs, *, host: str, port: int) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(signs))
        except OSError as error:
            raise OutputError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(signs: Signs) -> type[BaseHTTPRequestHandler]:
    checks: dict[str, Callable[[Signs, float], list[str]]] = {
        "/livez": reasons_not_alive,
        "/readyz": reasons_not_ready,
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            check = checks.get(self.path)
            if check is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            reasons = check(signs, time.monotonic())
            body = json.dumps({"status": "unavailable" if reasons else "ok", "reasons": reasons})
            self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing: it is asked every few seconds."""

    return Handler
