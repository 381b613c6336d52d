"""One HTTP/1.1 request and the head of its answer, by way of redirects that are checked, too."""

from __future__ import annotations

import functools
import ssl
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpcore

from sightline.fetch.connection import PinnedBackend
from sightline.fetch.errors import FetchCode, FetchError
from sightline.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sightline.fetch.connection import Watch
    from sightline.fetch.policy import AddressPolicy
    from sightline.fetch.url import HttpUrl

__all__ = ["MOST_REDIRECTS", "Answer", "Request", "answered", "followed"]

MOST_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask.

    Attributes:
        method: "GET" or "POST".
        headers: Besides `Host`, `User-Agent`, `Content-Length` and `Authorization`.
        content: The body; None: none.
        connect_timeout_s: For a connection, and again for TLS.
        read_timeout_s: For the next bytes.
    """

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The head of an answer, and its body as it is sent.

    Attributes:
        url: Who gave it, after redirects.
        status: HTTP status.
        headers: Names in lower case; of repeated ones the last.
        blocks: The body; nothing is decompressed.
    """

    url: HttpUrl
    status: int
    headers: Mapping[str, str]
    blocks: Iterator[bytes]


@contextmanager
def answered(
    url: HttpUrl, request: Request, *, policy: AddressPolicy, watch: Watch
) -> Iterator[Answer]:
    """Ask, and give the answer, whatever it is, while entered.

    Raises:
        FetchError: The address is refused, gives no answer, or breaks off while its body is read.
    """
    backend = PinnedBackend(policy.addresses(url), watch)
    connection = httpcore.HTTPConnection(
        origin=httpcore.Origin(url.scheme.encode(), url.host.encode(), url.port),
        ssl_context=_trust(policy.authorities) if url.scheme == "https" else None,
        network_backend=backend,
    )
    begun = False
    try:
        with closing(connection):
            response = connection.handle_request(_composed(url, request))
            begun = True
            yield Answer(
                url=url,
                status=response.status,
                headers=_readable(response.headers),
                blocks=response.iter_stream(),
            )
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise _failure(url, error) from None
    except httpcore.RemoteProtocolError:
        raise _malformed(url, begun=begun) from None


@contextmanager
def followed(
    url: HttpUrl, request: Request, *, policy: AddressPolicy, watch: Watch
) -> Iterator[Answer]:
    """Like `answered`, but follow redirects, each of which must pass the policy.

    Raises:
        FetchError: As `answered`, or there are too many of them.
    """
    current = url
    for _ in range(MOST_REDIRECTS + 1):
        with answered(current, request, policy=policy, watch=watch) as answer:
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                yield answer
                return
        current = current.joined(location)
    raise FetchError(
        f"cannot fetch {url.shown}: more than {MOST_REDIRECTS} redirects",
        code=FetchCode.TOO_MANY_REDIRECTS,
    )


def _composed(url: HttpUrl, request: Request) -> httpcore.Request:
    headers = {"Host": url.authority, "User-Agent": f"sightline/{__version__}", **request.headers}
    if url.authorization is not None:
        headers["Authorization"] = url.authorization
    if request.content is not None:
        headers["Content-Length"] = str(len(request.content))
    patience = {"connect": request.connect_timeout_s, "read": request.read_timeout_s}
    return httpcore.Request(
        request.method,
        httpcore.URL(
            scheme=url.scheme.encode(),
            host=url.host.encode(),
            port=url.port,
            target=url.target.encode(),
        ),
        headers=[(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()],
        content=request.content,
        extensions={"timeout": {**patience, "write": request.read_timeout_s}},
    )


def _readable(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii").lower(): text.decode("utf-8", "replace") for name, text in headers}


@functools.cache
def _trust(authorities: Path | None) -> ssl.SSLContext:
    if authorities is None:
        return httpcore.default_ssl_context()
    return ssl.create_default_context(cafile=authorities)


def _failure(url: HttpUrl, error: Exception) -> FetchError:
    """Say why a connection failed; nothing of it names an address."""
    problem = error.__cause__
    if isinstance(problem, ssl.SSLCertVerificationError):
        why, code, again = f"its certificate: {problem.verify_message}", FetchCode.TLS, False
    elif isinstance(problem, ssl.SSLError):
        why, code, again = "TLS cannot be agreed on with its server", FetchCode.TLS, False
    elif isinstance(error, (httpcore.ConnectError, httpcore.ConnectTimeout)):
        why, code, again = "its server cannot be reached", FetchCode.UNREACHABLE, True
    elif isinstance(error, httpcore.TimeoutException):
        why, code, again = "its server takes too long to answer", FetchCode.TOO_SLOW, True
    else:
        why, code, again = "the connection broke off", FetchCode.INTERRUPTED, True
    return FetchError(f"cannot fetch {url.shown}: {why}", code=code, again=again)


def _malformed(url: HttpUrl, *, begun: bool) -> FetchError:
    if begun:
        message = f"cannot fetch {url.shown}: the answer ends too early or is malformed"
        return FetchError(message, code=FetchCode.INTERRUPTED, again=True)
    message = f"cannot fetch {url.shown}: its server does not answer in HTTP"
    return FetchError(message, code=FetchCode.BAD_ANSWER, again=True)
