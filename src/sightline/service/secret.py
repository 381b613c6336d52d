"""The secret of a service: made once, kept in its data folder, and the keys that follow from it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - part of a signature that is documented

from sightline.errors import SightlineError

__all__ = ["SecretError", "ServerSecret", "load_secret"]

_BYTES = 32
_NAME = "server.secret"
_PREVIOUS = "server.secret.previous"


class SecretError(SightlineError, OSError):
    """The file of the secret cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ServerSecret:
    """What only the service knows.

    Attributes:
        current: Signs and verifies.
        previous: Still verifies, and signs beside the current one; None where none was replaced.
    """

    current: bytes
    previous: bytes | None = None

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """Derive keys of 32 bytes, one per secret, that say nothing about those of other purposes.

        >>> secret = ServerSecret(current=b"x" * 32)
        >>> secret.keys("sessions") == secret.keys("webhooks")
        False
        """
        every = (self.current,) if self.previous is None else (self.current, self.previous)
        return tuple(hmac.digest(one, purpose.encode(), hashlib.sha256) for one in every)

    def webhook_secrets(self, owner_id: str) -> tuple[str, ...]:
        """Give the secrets that sign an owner's webhooks, the current one first.

        They are in the form of the Standard Webhooks specification, "whsec_" and base64.
        """
        keys = self.keys(f"webhooks\0{owner_id}")
        return tuple("whsec_" + base64.b64encode(key).decode() for key in keys)


def load_secret(folder: Path) -> ServerSecret:
    """Read the secret in a data folder, `server.secret`; make it if there is none.

    To replace it, rename it to `server.secret.previous` and start the service again: webhooks are
    then signed with both until that file is removed.

    Raises:
        SecretError: The file cannot be read or made, is not whole, or others may read it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _NAME).exists():
            _make(folder / _NAME)
        previous = folder / _PREVIOUS
        return ServerSecret(
            current=_read(folder / _NAME), previous=_read(previous) if previous.exists() else None
        )
    except OSError as error:
        if isinstance(error, SecretError):
            raise
        raise SecretError(
            f"cannot use the secret in {folder}: {error.strerror or error}; "
            "choose a data folder that can be written to"
        ) from error


def _make(path: Path) -> None:
    """Write a new secret, whole or not at all; who comes second keeps the first one's."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise SecretError(f"{path} may be used by others than its owner; chmod 600 it")
    secret = path.read_bytes()
    if len(secret) != _BYTES:
        raise SecretError(
            f"{path} holds {len(secret)} bytes, not {_BYTES}; remove it for a new one"
        )
    return secret
