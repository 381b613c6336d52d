"""Which addresses may be contacted on behalf of strangers.

By default only the public Internet, on the ports of the web: not this machine, not its network,
not the metadata services of clouds, and nothing that is embedded in an address of another kind.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass field
from typing import TYPE_CHECKING

from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.url import host_of

if TYPE_CHECKING:
    from sightline.fetch.url import HttpUrl

__all__ = ["AddressPolicy", "IpAddress", "Resolver", "is_public", "system_resolver"]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Resolver = Callable[[str, int], Sequence[str]]
"""Gives the IP addresses of a name, for a port; raises `OSError` if it has none."""

_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # metadata service of Azure
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
_WITH_PORT = re.compile(r"(?:\[(?P<literal>[^\]]+)\]|(?P<place>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: IpAddress) -> bool:
    """Tell whether an address is of the public Internet, by the registries of IANA.

    An IPv4 address inside an IPv6 one counts as what it is. The tables are written out because
    `is_global` differs between versions of Python, and knows nothing of clouds.

    >>> [is_public(ipaddress.ip_address(text)) for text in ("1.1.1.1", "::ffff:10.0.0.1")]
    [True, False]
    """
    address = _unwrapped(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _GLOBAL_UNICAST_V6 and not any(address in n for n in _NOT_PUBLIC_V6)


def _unwrapped(address: IpAddress) -> IpAddress:
    """Give the IPv4 address that is meant: IPv4-mapped, 6to4 (RFC 3056) or NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exception:
    """What may be contacted although it is not public.

    Attributes:
        place: A network, or a host as `_pattern` writes it.
        port: The only one; None: those that are allowed everywhere.
    """

    place: _Network | str
    port: int | None

    def covers(self, address: IpAddress, host: str) -> bool:
        """Tell whether an address belongs to it, which was found under this host."""
        if isinstance(self.place, str):
            return _matches(host, (self.place,))
        return _unwrapped(address) in self.place or address in self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Which addresses may be contacted.

    Hosts are written as in URLs; with a dot before (`.example.org`) a host means everything below
    it as well.

    Attributes:
        schemes: "https", and "http" unless it is not wanted.
        ports: Allowed ports; None: any.
        only_hosts: If there are any, these hosts alone.
        denied_hosts: Never these hosts.
        private: Hosts, IP addresses and networks (`10.1.0.0/16`) that are allowed although they
            are not public, such as a camera archive in the house. A host that is named here is
            trusted with whatever address it has. With a port (`nas:8000`, `[::1]:8000`) an entry
            allows that port, and no other.
        authorities: File of the certificates (PEM) to trust; None: those of the system.
        resolve: Turns names into addresses. Connections go to what it returned when it was
            asked, which is once.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    ports: frozenset[int] | None = frozenset({80, 443})
    only_hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    authorities: Path | None = None
    resolve: Resolver = system_resolver
    _exceptions: tuple[_Exception, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.schemes or not self.schemes <= {"http", "https"}:
            raise ValueError(f"schemes must be of http and https, not {sorted(self.schemes)}")
        object.__setattr__(self, "_exceptions", tuple(map(_exception, self.private)))
        for name in ("only_hosts", "denied_hosts"):
            object.__setattr__(self, name, tuple(_pattern(host) for host in getattr(self, name)))

    def check(self, url: HttpUrl) -> None:
        """Check everything that shows without asking for the addresses of a name.

        Raises:
            FetchError: It may not be contacted.
        """
        if url.scheme not in self.schemes:
            raise FetchError(
                f"cannot fetch {url.shown}: only {' and '.join(sorted(self.schemes))} is allowed",
                code=FetchCode.ADDRESS_REFUSED,
            )
        if not self._is_usual(url.port) and url.port not in {e.port for e in self._exceptions}:
            allowed = ", ".join(map(str, sorted(self.ports or ())))
            raise FetchError(
                f"cannot fetch {url.shown}: port {url.port} is not one of {allowed}",
                code=FetchCode.ADDRESS_REFUSED,
            )
        listed = not self.only_hosts or _matches(url.host, self.only_hosts)
        if not listed or _matches(url.host, self.denied_hosts):
            raise self._refusal(url)
        try:
            literal = ipaddress.ip_address(url.host)
        except ValueError:
            return
        if not self._allows(literal, url):
            raise self._refusal(url)

    def addresses(self, url: HttpUrl) -> Sequence[IpAddress]:
        """Check a URL, resolve its host, and check every address; blocks.

        Returns:
            What may be connected to, at least one.

        Raises:
            FetchError: It may not be contacted, or has no address; which of them, is not told,
                because it would reveal the names that exist inside.
        """
        self.check(url)
        try:
            return [ipaddress.ip_address(url.host)]
        except ValueError:
            pass
        try:
            found = [ipaddress.ip_address(text) for text in self.resolve(url.host, url.port)]
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                message = f"cannot fetch {url.shown}: names cannot be resolved at the moment"
                raise FetchError(message, code=FetchCode.UNREACHABLE, again=True) from None
            raise self._refusal(url) from None
        except (OSError, ValueError):
            raise self._refusal(url) from None
        if not found or not all(self._allows(address, url) for address in found):
            raise self._refusal(url)
        return found

    def _is_usual(self, port: int) -> bool:
        return self.ports is None or port in self.ports

    def _allows(self, address: IpAddress, url: HttpUrl) -> bool:
        is_usual = self._is_usual(url.port)
        if is_usual and is_public(address):
            return True
        return any(
            (is_usual if exception.port is None else url.port == exception.port)
            and exception.covers(address, url.host)
            for exception in self._exceptions
        )

    def _refusal(self, url: HttpUrl) -> FetchError:
        return FetchError(
            f"cannot fetch {url.shown}: its host is unknown or may not be contacted",
            code=FetchCode.ADDRESS_REFUSED,
        )


def _exception(entry: str) -> _Exception:
    """Read a host, address or network, with a port or without."""
    place, port = entry, None
    if match := _WITH_PORT.fullmatch(entry):
        place, port = match["literal"] or match["place"], int(match["port"])
        if not 1 <= port <= 65535:
            raise ValueError(f"not a port: {port} in {entry!r}")
    try:
        return _Exception(place=ipaddress.ip_network(place), port=port)
    except ValueError:
        return _Exception(place=_pattern(place), port=port)


def _pattern(host: str) -> str:
    """Bring a host of a list into the form that hosts of URLs have."""
    try:
        return ("." if host.startswith(".") else "") + host_of(host.removeprefix("."))
    except FetchError:
        raise ValueError(f"not a host, IP address or network: {host!r}") from None


def _matches(host: str, patterns: Sequence[str]) -> bool:
    return any(
        host == pattern.removeprefix(".") or (pattern.startswith(".") and host.endswith(pattern))
        for pattern in patterns
    )
