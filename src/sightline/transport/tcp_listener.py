"""Listening for HTTP: a socket as asyncio wants it, and the address that a browser needs."""

from __future__ import annotations

import ipaddress
import socket

from sightline.errors import OutputError

__all__ = ["listen_tcp", "web_address"]

_BACKLOG = 2048


def listen_tcp(host: str, port: int) -> socket.socket:
    """Bind a listening socket.

    It knows that it is TCP, and so do the connections that it accepts: asyncio sends their small
    writes at once (`TCP_NODELAY`) only then, and answers would take 40 ms longer otherwise.

    Args:
        host: Name or address of the interface; "" for all.
        port: TCP port; 0 for a free one.

    Raises:
        OutputError: The address cannot be had.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise OutputError(
            f"cannot serve on {host} port {port}: {error.strerror or error}; "
            "choose another port, or 0 for a free one"
        ) from error
    return listener


def web_address(listener: socket.socket) -> str:
    """Write where a browser on this machine finds what listens."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return f"http://{'127.0.0.1' if address.is_unspecified else host}:{port}"
    return f"http://[{'::1' if address.is_unspecified else host}]:{port}"
