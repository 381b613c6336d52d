"""Which web pages may speak to the service: names it answers to, and requests of foreign pages.

A browser sends cookies, and anything to 127.0.0.1, on behalf of every page that it shows. Two
checks keep foreign pages out where a request proves nothing by itself:

- the name in `Host` must be one of the service's, or a page could give its own name the address
  127.0.0.1 and then count as the same origin (DNS rebinding);
- `Sec-Fetch-Site` and `Origin`, which pages cannot forge, must not tell of another origin. Another
  port of the same name is another origin, too, though it gets the same cookies.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

__all__ = ["check_host", "check_origin", "is_loopback"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGE = "sightline"


def check_host(host: str, names: frozenset[str]) -> None:
    """Check the name under which a loopback service was asked.

    Args:
        host: The `Host` header, with or without port.
        names: What it may be besides "localhost" and loopback addresses, in lower case.

    Raises:
        ProblemError: It is another one; status 421.
    """
    name = _hostname(host)
    if name != "localhost" and name not in names and not is_loopback(name):
        raise ProblemError("misdirected", "the service does not go by this name; use localhost")


def check_origin(method: str, headers: Headers, *, proof: bool) -> None:
    """Check that a request is not made by a foreign page.

    Args:
        method: Of the request.
        headers: Of the request.
        proof: Whether an unsafe request must prove that it is the service's own page that makes
            it, as is due where a cookie gives the authority: by `Sec-Fetch-Site: same-origin`, by
            its `Origin`, or by `X-Requested-With: sightline`, which a foreign page could not send
            without asking first. Programs without a cookie jar send none of these.

    Raises:
        ProblemError: It is, or lacks the proof; status 403.
    """
    site = headers.get("sec-fetch-site", "")
    origin = headers.get("origin")
    safe = method in _SAFE_METHODS
    if site == "same-origin" or (safe and headers.get("sec-fetch-mode") == "navigate"):
        return
    is_own = origin is not None and _authority(origin) == headers.get("host", "").lower()
    if site in ("cross-site", "same-site") or (origin is not None and not is_own):
        raise ProblemError("cross-origin", "the page of another web site made this request")
    is_own = is_own or headers.get("x-requested-with") == _OWN_PAGE
    if proof and not safe and not is_own:
        raise ProblemError(
            "cross-origin",
            "with a session cookie, this needs the header 'X-Requested-With: sightline'",
        )


def is_loopback(name: str) -> bool:
    """Tell whether a host is a loopback address; names are not resolved.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """Cut the port off; an IPv6 address loses its brackets.

    >>> _hostname("LocalHost:8000"), _hostname("[::1]:8000"), _hostname("a@b"), _hostname("[")
    ('localhost', '::1', '', '')
    """
    if "@" in host:
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    """Give host and port of an origin as `Host` has them.

    >>> _authority("http://Localhost:8000"), _authority("null")
    ('localhost:8000', '')
    """
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
