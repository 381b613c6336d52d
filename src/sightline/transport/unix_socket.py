"""Local sockets that keep packets apart, ready for links: they never block and queue much."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import closing
from pathlib import Path

from sightline.errors import LinkError
from sightline.transport.packets import PACKET_BYTES

__all__ = ["check_path", "open_listening_socket", "open_socket", "prepare"]

_LONGEST_PATH = 107
_QUEUE_BYTES = 1024 * 1024


def check_path(path: str) -> None:
    """Check that a path can be that of a socket.

    Raises:
        LinkError: It is too long.
    """
    length = len(os.fsencode(path))
    if length > _LONGEST_PATH:
        raise LinkError(
            f"{path} has {length} bytes, but the path of a socket has at most {_LONGEST_PATH}: "
            "choose a shorter one"
        )


def open_socket() -> socket.socket:
    """Make a socket that is not connected.

    Raises:
        LinkError: The system gives none, or none that fits.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise LinkError(f"cannot make a socket: {error.strerror}") from error
    return prepare(sock)


def prepare(sock: socket.socket) -> socket.socket:
    """Let a socket never block, and queue as much as the system allows; return it.

    Raises:
        LinkError: It queues too little for a packet; the socket is closed.
    """
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_BYTES)
    granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    if granted < 2 * PACKET_BYTES:
        sock.close()
        raise LinkError(
            f"the system lets sockets queue {granted} bytes, less than {2 * PACKET_BYTES}: "
            "raise net.core.wmem_max"
        )
    return sock


def open_listening_socket(path: str) -> socket.socket:
    """Listen at a path; a socket that nobody listens at any more is replaced.

    Raises:
        LinkError: The path is too long, or one cannot listen there.
    """
    check_path(path)
    sock = open_socket()
    try:
        _bind(sock, path)
        sock.listen(socket.SOMAXCONN)
    except OSError as error:
        sock.close()
        raise LinkError(f"cannot listen at {path}: {error.strerror}") from error
    return sock


def _bind(sock: socket.socket, path: str) -> None:
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _is_abandoned(Path(path)):
            raise
        Path(path).unlink()
        sock.bind(path)


def _is_abandoned(path: Path) -> bool:
    """Tell whether there is a socket that nobody listens at."""
    with closing(open_socket()) as probe:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
        return is_socket and probe.connect_ex(str(path)) == errno.ECONNREFUSED
