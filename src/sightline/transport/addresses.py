"""Where nodes find each other: `bind:tcp://*:5557`, `connect:ipc:///run/hub`, `inproc://hub`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from sightline.errors import LinkError

__all__ = ["Address", "Role", "check_url", "parse_address"]

_LONGEST_SOCKET_PATH = 107
_TCP = re.compile(r"tcp://(?P<host>\*|\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(?P<port>\d{1,5}|\*)")
_IPC = re.compile(r"ipc://(?P<path>[^\0]+)", re.DOTALL)
_INPROC = re.compile(r"inproc://\S+")


class Role(Enum):
    """What a node does with an address: listen there, or connect to who listens there."""

    BIND = "bind"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A place to listen at or to connect to.

    Attributes:
        role: Which of both.
        url: tcp://HOST:PORT, ipc://PATH or inproc://NAME. Where one listens, HOST `*` means all
            interfaces, and PORT 0 or `*` any free port.

    Raises:
        LinkError: The URL makes no sense in this role; the message says what would.
    """

    role: Role
    url: str

    def __post_init__(self) -> None:
        check_url(self.url, role=self.role)

    def __str__(self) -> str:
        return f"{self.role.value}:{self.url}"


def parse_address(text: str) -> Address:
    """Read an address with its role.

    Raises:
        LinkError: It is none.

    >>> parse_address("bind:tcp://*:5557").role
    <Role.BIND: 'bind'>
    """
    role, colon, url = text.partition(":")
    if not colon or role not in {known.value for known in Role}:
        raise LinkError(
            f"{text!r} is no address: begin with bind: or connect:, as in bind:tcp://*:5557 "
            "or connect:tcp://cam-1:5557"
        )
    return Address(role=Role(role), url=url)


def check_url(url: str, *, role: Role) -> None:
    """Check that one can listen at or connect to this.

    Raises:
        LinkError: One cannot; the message says what would be right.
    """
    if tcp := _TCP.fullmatch(url):
        _check_tcp(url, tcp["host"], tcp["port"], role=role)
    elif ipc := _IPC.fullmatch(url):
        _check_path(url, ipc["path"])
    elif not _INPROC.fullmatch(url):
        example = "tcp://*:5557" if role is Role.BIND else "tcp://cam-1:5557"
        raise LinkError(
            f"{url!r} is no address to {role.value} to: write tcp://HOST:PORT, ipc://PATH or "
            f"inproc://NAME, for instance {example}"
        )


def _check_tcp(url: str, host: str, port: str, *, role: Role) -> None:
    if port != "*" and int(port) > 65535:
        raise LinkError(f"port {port} of {url} does not exist: use one from 1 to 65535")
    if role is Role.CONNECT and host == "*":
        raise LinkError(f"one cannot connect to {url}: name the machine instead of *")
    if role is Role.CONNECT and port in ("*", "0"):
        raise LinkError(f"one cannot connect to {url}: name the port that is listened at")


def _check_path(url: str, path: str) -> None:
    length = len(path.encode(errors="surrogateescape"))
    if length > _LONGEST_SOCKET_PATH:
        raise LinkError(
            f"the path of {url} has {length} bytes, but that of a socket has at most "
            f"{_LONGEST_SOCKET_PATH}: choose a shorter one"
        )
