"""Links between processes of one machine: local sockets on Linux, ZeroMQ elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if sys.platform == "linux":
    from sightline.transport.unix_link import connect_unix, listen_unix
else:
    from sightline.transport.zmq_link import connect, listen

if TYPE_CHECKING:
    from sightline.transport.link import Link

__all__ = ["connect_local", "listen_local"]


def listen_local(path: str) -> Link:
    """Listen at a path. Who may connect is up to the folder it lies in.

    Raises:
        LinkError: The path is too long, or one cannot listen there.
    """
    if sys.platform == "linux":
        return listen_unix(path)
    else:  # noqa: RET505 - type checkers know by it that this is for other systems
        return listen(f"ipc://{path}")


def connect_local(path: str, *, identity: bytes) -> Link:
    """Connect to who listens at a path, now or later.

    Args:
        path: Of the socket.
        identity: What the other side calls this one; 1 to 255 bytes that do not begin with 0.

    Raises:
        LinkError: The path is too long, or one cannot connect there.
        ValueError: The identity makes no sense.
    """
    if sys.platform == "linux":
        return connect_unix(path, identity=identity)
    else:  # noqa: RET505 - as above
        return connect(f"ipc://{path}", identity=identity)
