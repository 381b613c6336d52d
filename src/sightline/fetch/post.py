"""Posts to an address that a stranger named, such as a webhook."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sightline.fetch.connection import Watch
from sightline.fetch.exchange import Request, answered
from sightline.fetch.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.fetch.policy import AddressPolicy

__all__ = ["post"]


def post(
    url: str,
    *,
    content: bytes,
    headers: Mapping[str, str],
    policy: AddressPolicy,
    timeout_s: float = 15.0,
) -> int:
    """Send a POST request; blocks. Redirects are not followed, and the body is not read.

    Args:
        url: http or https; user and password in it are used, and shown nowhere.
        content: The body.
        headers: Such as `Content-Type`.
        policy: Which addresses may be contacted.
        timeout_s: Longest wait for everything together, but for the look-up of the name.

    Returns:
        The HTTP status.

    Raises:
        FetchError: The address is refused, or gives no answer.
    """
    request = Request(
        method="POST",
        headers=headers,
        content=content,
        connect_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
    )
    watch = Watch(time.monotonic() + timeout_s)
    with answered(parse_url(url), request, policy=policy, watch=watch) as answer:
        return answer.status
