"""An HTTP server in a thread of its own; needs the extra `web`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn
from starlette.datastructures import URL
from starlette.responses import PlainTextResponse

from sightline.errors import OutputError
from sightline.live.application import SECURITY_HEADERS
from sightline.transport.tcp_listener import listen_tcp, web_address

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Server"]

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_UNSENT_BYTES = 128 * 1024


class Server:
    """Serves an application from its making until `stop()`.

    Args:
        application: What to serve.
        host: Name or address of the interface.
        port: TCP port; 0 for a free one.

    Attributes:
        address: Where a browser on this machine finds it.

    Raises:
        OutputError: The address cannot be had.
    """

    def __init__(self, application: ASGIApp, *, host: str, port: int) -> None:
        self._socket = listen_tcp(host, port)
        # What a slow viewer has not been sent yet is to be few pictures, not megabytes of old ones.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        self.address = web_address(self._socket)
        if ipaddress.ip_address(self._socket.getsockname()[0]).is_loopback:
            application = _LocalNamesOnly(application, host)
        self._server = _UvicornServer(_configuration(application))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sightline-web", daemon=True
        )
        self._thread.start()
        if not self._server.is_ready.wait(_START_TIMEOUT_S):
            raise OutputError(f"the server at {self.address} does not start")

    def stop(self) -> None:
        """End all connections and the thread; the port is free afterwards."""
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT_S)
        self._socket.close()


def _configuration(application: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=list(SECURITY_HEADERS),
        timeout_graceful_shutdown=1,
    )


class _UvicornServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut the connections first: a viewer that does not read would never let go of its own."""
        for connection in list(self.server_state.connections):
            if isinstance(transport := connection.transport, asyncio.Transport):
                transport.abort()
        await super().shutdown(sockets)


class _LocalNamesOnly:
    """Refuses requests to a loopback server under a foreign name.

    A web site that a user of this machine visits could otherwise give its own name the address
    127.0.0.1 and read the pictures as its own (DNS rebinding).
    """

    def __init__(self, application: ASGIApp, host: str) -> None:
        self._application = application
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_local(URL(scope=scope).hostname or ""):
            await self._application(scope, receive, send)
            return
        refusal = PlainTextResponse("open this page under the name localhost", status_code=421)
        await refusal(scope, receive, send)

    def _is_local(self, name: str) -> bool:
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name in ("localhost", self._host)
