"""How both clients reach a service: address, key, time limits, and calls as httpx takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sightline.errors import ServiceError
from sightline.version import __version__

if TYPE_CHECKING:
    import httpx

    from sightline.client.calls import Call

__all__ = ["DEFAULT_URL", "connection_options", "request_of", "unreachable"]

DEFAULT_URL = "http://127.0.0.1:8080"
"""Where `sightline serve` is by default."""

_TIMEOUT_S = 30.0


def connection_options(url: str, key: str | None) -> dict[str, Any]:
    """Give the arguments of `httpx.Client` and `httpx.AsyncClient`.

    Raises:
        ServiceError: The address is none of the web, or the key cannot be one.
    """
    if not _is_web_address(url):
        raise ServiceError(f"{url!r} is no address of a service, such as {DEFAULT_URL}")
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ServiceError("the key holds spaces or signs that no key has; copy it anew")
    headers = {"user-agent": f"sightline/{__version__}"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "timeout": _TIMEOUT_S}


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # must be a number, and not too large
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url


def request_of(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    """Turn a call into a request of httpx."""
    return http.build_request(
        call.method,
        call.path,
        params=dict(call.params) or None,
        json=call.json,
        content=call.content,
        headers=dict(call.headers),
        timeout=_TIMEOUT_S + call.wait_s,
    )


def unreachable(http: httpx.Client | httpx.AsyncClient, error: httpx.HTTPError) -> ServiceError:
    """Say that a service gave no answer."""
    what = str(error) or type(error).__name__
    return ServiceError(f"the service at {http.base_url} cannot be reached: {what}")
