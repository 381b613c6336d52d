"""Connections that go to addresses which were checked, and nowhere else.

httpcore asks its network backend for a connection to a host name. This backend ignores what the
name may stand for by now and connects to the addresses that the policy has let pass; the name
stays what TLS checks the certificate against and what the header `Host` says. So a name that
changes its address between check and connection (DNS rebinding) gains nothing, and no proxy of
the environment is in between.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence

    from sightline.fetch.policy import IpAddress

__all__ = ["PinnedBackend", "Watch"]

_SLICE_S = 0.5


class Watch:
    """Bounds the waiting on a connection as a whole, whatever the server does byte by byte.

    Args:
        until_s: Time of `time.monotonic` at which waiting ends.
        tick: Called about twice a second while nothing comes; may raise to give up.

    Attributes:
        until_s: The same; may be moved.
    """

    def __init__(self, until_s: float, tick: Callable[[], None] = lambda: None) -> None:
        self.until_s = until_s
        self.tick = tick

    def left_s(self, timeout_s: float | None) -> float:
        """Give the seconds that may be waited at most.

        Raises:
            httpcore.TimeoutException: None are left.
        """
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("time is up")
        return left_s if timeout_s is None else min(left_s, timeout_s)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to given addresses, whatever host is asked for.

    Args:
        addresses: Where to connect; the first that answers.
        watch: Bounds the waiting.
    """

    def __init__(self, addresses: Sequence[IpAddress], watch: Watch) -> None:
        self._addresses = addresses
        self._watch = watch
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - what it stands for was decided before
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the addresses that answers."""
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = self._backend.connect_tcp(
                    str(address),
                    port,
                    timeout=self._watch.left_s(timeout),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                self._watch.tick()
            else:
                return _WatchedStream(stream, self._watch)
        raise failure


class _WatchedStream(httpcore.NetworkStream):
    """A connection whose waiting is cut into slices, between which somebody may give up."""

    def __init__(self, stream: httpcore.NetworkStream, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until_s = time.monotonic() + self._watch.left_s(timeout)
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise httpcore.ReadTimeout("no data came")
            try:
                return self._stream.read(max_bytes, min(left_s, _SLICE_S))
            except httpcore.ReadTimeout:
                self._watch.tick()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._watch.left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left_s = self._watch.left_s(timeout)
        return _WatchedStream(
            self._stream.start_tls(ssl_context, server_hostname, left_s), self._watch
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
