"""The cookie that stands for a key in the browser: signed, with an end, and without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.service.secret import ServerSecret

__all__ = ["SESSION_COOKIE", "SessionCookies"]

SESSION_COOKIE = "sightline_session"
"""Name of the cookie."""


class SessionCookies:
    """Makes and reads the values of session cookies: KEY_ID.END.SIGNATURE.

    Args:
        secret: Signs them.
        lifetime_s: A session ends so long after it was begun.

    Attributes:
        lifetime_s: As given.
    """

    def __init__(self, secret: ServerSecret, *, lifetime_s: int = 12 * 3600) -> None:
        self.lifetime_s = lifetime_s
        self._keys = secret.keys("sessions")

    def make(self, key_id: str, *, now_s: float) -> str:
        """Give the value of a cookie for the owner of a key."""
        signed = f"{key_id}.{int(now_s) + self.lifetime_s}"
        return f"{signed}.{_signature(self._keys[0], signed)}"

    def read(self, value: str, *, now_s: float) -> str | None:
        """Give the id of the key that a cookie stands for; None if it is forged or too old."""
        signed, _, signature = value.rpartition(".")
        genuine = any(
            hmac.compare_digest(_signature(key, signed).encode(), signature.encode())
            for key in self._keys
        )
        if not genuine:
            return None
        key_id, _, end = signed.rpartition(".")
        return key_id if now_s < int(end) else None


def _signature(key: bytes, signed: str) -> str:
    digest = hmac.digest(key, signed.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
