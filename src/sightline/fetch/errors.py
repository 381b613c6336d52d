"""Why something could not be fetched, in words that are safe to show to whoever asked for it."""

from __future__ import annotations

from enum import StrEnum

from sightline.errors import SightlineError

__all__ = ["FetchCode", "FetchError"]


class FetchCode(StrEnum):
    """Stable names of the reasons, for programs."""

    BAD_URL = "bad-url"
    ADDRESS_REFUSED = "address-refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TOO_MANY_REDIRECTS = "too-many-redirects"
    NOT_FOUND = "not-found"
    BAD_STATUS = "bad-status"
    BAD_ANSWER = "bad-answer"
    INTERRUPTED = "interrupted"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    NO_SPACE = "no-space"


class FetchError(SightlineError, OSError):
    """An address cannot be fetched, or must not be.

    The message is one line. It holds no user, password or query, and nothing of the addresses
    that a name stands for: whether something answers inside a network is not told to strangers.

    Attributes:
        code: The reason.
        again: A later attempt may succeed.
    """

    def __init__(self, message: str, *, code: FetchCode, again: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.again = again
