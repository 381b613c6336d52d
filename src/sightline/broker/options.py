"""How programs and workers meet at a broker; the same for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BrokerError", "BrokerOptions", "redacted"]

_SCHEMES = ("redis", "rediss", "amqp", "amqps")
_RABBITMQ_HOLDS_S = 1800.0


class BrokerError(SightlineError, ValueError):
    """The broker's address or its settings cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOptions:
    """How to reach the broker, and how long it waits for workers.

    Attributes:
        url: `redis://…`, `rediss://…`, `amqp://…` or `amqps://…`.
        hold_s: A worker lets go of a message after so long, though its task goes on: RabbitMQ
            closes the channel of one that does not within 30 minutes.
        extra: Further settings of Celery by their names, which come before ours.
    """

    url: str = field(repr=False)
    hold_s: float = 600.0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheme not in _SCHEMES:
            raise BrokerError(
                f"a broker is {', '.join(f'{name}://' for name in _SCHEMES)}, "
                f"not {redacted(self.url)!r}"
            )
        if not 0 < self.hold_s < _RABBITMQ_HOLDS_S:
            raise BrokerError(
                f"hold_s must be more than 0 and less than {_RABBITMQ_HOLDS_S:g}, "
                f"but is {self.hold_s:g}"
            )

    @property
    def scheme(self) -> str:
        """What kind of server it is."""
        return urlsplit(self.url).scheme.lower()

    @property
    def is_amqp(self) -> bool:
        """It is RabbitMQ."""
        return self.scheme.startswith("amqp")

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return redacted(self.url)


def redacted(url: str) -> str:
    """Give an address without its password.

    >>> redacted("redis://ann:secret@broker:6379/0")
    'redis://ann:…@broker:6379/0'
    >>> redacted("redis://broker/0")
    'redis://broker/0'
    """
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:…@{host}"))
