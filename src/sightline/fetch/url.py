"""URLs taken apart once, strictly; what is connected to and sent is made of these parts alone.

Two parsers that read one URL differently are the classic way around a check of addresses. Here
nothing reads the text a second time, and every form on which parsers are known to differ is
refused instead of repaired.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urljoin, urlsplit

import idna

from sightline.fetch.errors import FetchCode, FetchError

__all__ = ["HttpUrl", "host_of", "parse_url"]

_LONGEST = 8192
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PATH_CHARACTERS = "/:@!$&'()*+,;=~%-._[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpUrl:
    """An http or https address in parts.

    Attributes:
        scheme: "http" or "https".
        host: Name in ASCII, lower case, without a final dot; or an IP address without brackets.
        port: From 1 to 65535.
        target: Path and query as they are sent; ASCII.
        authorization: Value of the header `Authorization`, made of user and password; None
            without. They are allowed, because servers ask for them, and shown nowhere.
    """

    scheme: str
    host: str
    port: int
    target: str
    authorization: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and, where it is not the usual one, port: the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who is asked; user and password are for nobody else."""
        return self.scheme, self.host, self.port

    @property
    def shown(self) -> str:
        """The address as it may be shown: without user and password, the query hidden.

        A path with an @ is hidden, too: it may be a password with a slash that nobody escaped.

        >>> parse_url("https://ann:secret@example.org/a.mp4?token=abc").shown
        'https://example.org/a.mp4?***'
        """
        path, asked, _ = self.target.partition("?")
        shown = "/***" if "@" in path else path
        return f"{self.scheme}://{self.authority}{shown}{'?***' if asked else ''}"

    def joined(self, location: str) -> HttpUrl:
        """Follow a redirect; user and password are kept for the same origin only.

        Raises:
            FetchError: The location is not a URL that can be fetched.
        """
        _check_characters(location)
        try:
            joined = urljoin(f"{self.scheme}://{self.authority}{self.target}", location)
        except ValueError:
            raise _refused("it cannot be understood") from None
        url = parse_url(joined)
        if url.authorization is None and url.origin == self.origin:
            return HttpUrl(
                scheme=url.scheme,
                host=url.host,
                port=url.port,
                target=url.target,
                authorization=self.authorization,
            )
        return url


def parse_url(text: str) -> HttpUrl:
    """Take a URL apart.

    >>> parse_url("HTTPS://Bücher.Example.:443/a b".replace(" ", "%20")).shown
    'https://xn--bcher-kva.example/a%20b'

    Raises:
        FetchError: It is not an http or https URL, or is written in a way that is not accepted;
            the message does not repeat it.
    """
    _check_characters(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _refused("it cannot be understood") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refused("it does not begin with http:// or https://")
    user, at, authority = parts.netloc.rpartition("@")
    if "@" in user:
        raise _refused("it has several @; write those of user and password as %40")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _refused("its host or port is malformed")
    port = int(match[2]) if match[2] else _DEFAULT_PORTS[parts.scheme]
    if not 0 < port < 65536:
        raise _refused(f"there is no port {port}")
    query = f"?{quote(parts.query, safe=_PATH_CHARACTERS + '?')}" if parts.query else ""
    return HttpUrl(
        scheme=parts.scheme,
        host=host_of(match[1]),
        port=port,
        target=quote(parts.path or "/", safe=_PATH_CHARACTERS) + query,
        authorization=_authorization(user) if at else None,
    )


def host_of(text: str) -> str:
    """Bring a host into its one form: an ASCII name, or an IP address.

    >>> host_of("EXAMPLE.org."), host_of("[::FFFF:7f00:1]"), host_of("127.0.0.1")
    ('example.org', '::ffff:7f00:1', '127.0.0.1')

    Raises:
        FetchError: It is neither, or a number in another form (`0x7f.1`, `2130706433`), which
            systems read as an IP address.
    """
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1] if "%" not in text else ""))
        except ValueError:
            raise _refused("its IPv6 address is malformed") from None
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise _refused("its host is not a valid name") from None
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("its host is not a valid name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise _refused("its IP address must be four decimal numbers") from None
    return name


def _check_characters(text: str) -> None:
    if len(text) > _LONGEST:
        raise _refused(f"it is longer than {_LONGEST} characters")
    if any(c <= " " or c in "\\\x7f" for c in text):
        raise _refused("it has a space, backslash or control character; write it as %20 or so")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _refused("it has half of a character, a surrogate")


def _authorization(user: str) -> str:
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _refused(why: str) -> FetchError:
    return FetchError(f"the URL cannot be used: {why}", code=FetchCode.BAD_URL)
