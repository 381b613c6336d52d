"""The sink that shows streams in a browser while they run."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

from sightline.errors import MissingExtraError, OutputError
from sightline.live.feed import Feed
from sightline.live.pictures import PictureSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from sightline.frame import Frame
    from sightline.live.server import Server
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo

__all__ = ["Web"]


class Web:
    """Serves the frames of any number of streams as Motion JPEG, with a page that shows them all.

    A sink of one stream by itself, and of several through `for_stream`. The server runs in a
    thread of its own from the first `open()`; it stops when `close()` has been called and no
    stream is open any more. It can be opened again.

    Writing a frame never waits for a viewer: a frame is copied when a viewer stands ready for it,
    and otherwise counted alone. A viewer gets the newest picture whenever it is ready.

    The page has **no login**: who can reach the port sees the pictures. By default that is this
    machine, all of its users included; for others choose `host` with care, or put a proxy with a
    login before it.

    Args:
        port: TCP port; 0 for a free one, which `address` tells.
        host: Name or address of the interface to serve on; `0.0.0.0` for all of them.
        quality: Quality of JPEG, 1 to 100.
        max_width: Wider images are scaled down to this many pixels; None leaves them as they are.
        max_rate: The most pictures per second and stream.

    Attributes:
        stats: A function to ask for more about the streams, set by a runner: a mapping from the
            name of a stream to `hops` (name of a hop to `p50_ms`, `p95_ms`, `p99_ms` of the last
            ten seconds) and `drops` (name of a stage to counts by reason). Called by the server's
            thread.
        metrics: A function to ask for the text of `/metrics`, set by a runner. Called by the
            server's thread.
    """

    def __init__(
        self,
        port: int = 8080,
        host: str = "127.0.0.1",
        *,
        quality: int = 80,
        max_width: int | None = None,
        max_rate: float = 25.0,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, but is {port}")
        self.port = port
        self.host = host
        self.stats: Callable[[], Mapping[str, Mapping[str, Any]]] | None = None
        self.metrics: Callable[[], str] | None = None
        self._settings = PictureSettings(quality=quality, max_width=max_width, max_rate=max_rate)
        self._lock = threading.Lock()
        self._serials = count(1)
        self._feeds: dict[str, Feed] = {}
        self._server: Server | None = None
        self._stop_when_idle = False
        self._own = _StreamSink(self)

    @property
    def address(self) -> str | None:
        """Where a browser on this machine finds the page; None while it is not served."""
        server = self._server
        return None if server is None else server.address

    def for_stream(self, stream: StreamInfo) -> Sink:  # noqa: ARG002 - one sink is like the other
        """Make a sink for one of several streams."""
        return _StreamSink(self)

    def open(self, stream: StreamInfo) -> None:
        """Show a stream; the first one starts the server.

        Raises:
            OutputError: The port is in use or not allowed, or a stream of this name is shown.
            MissingExtraError: The extra `web` is not installed.
        """
        self._own.open(stream)

    def write(self, frame: Frame) -> None:
        """Show a frame; never blocks, and does not use the image after its return."""
        self._own.write(frame)

    def close(self) -> None:
        """Take the stream off the page; stop serving as soon as no stream is open any more."""
        self._own.close()
        with self._lock:
            self._stop_when_idle = True
            self._stop_if_idle()

    def discard(self) -> None:
        """Do what `close()` does: nothing of what was shown remains."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _show(self, stream: StreamInfo) -> Feed:
        """Add a stream to those shown."""
        feed = Feed(stream, serial=next(self._serials), settings=self._settings)
        with self._lock:
            if feed.name in self._feeds:
                raise OutputError(
                    f"a stream named {feed.name!r} is on the page already; give it another name"
                )
            if self._server is None:
                self._server = self._start()
            self._stop_when_idle = False
            self._feeds[feed.name] = feed
        return feed

    def _remove(self, feed: Feed) -> None:
        """Take a stream off."""
        feed.end()
        with self._lock:
            del self._feeds[feed.name]
            self._stop_if_idle()

    def _stop_if_idle(self) -> None:
        if self._stop_when_idle and not self._feeds and self._server is not None:
            self._server.stop()
            self._server = None

    def _start(self) -> Server:
        try:
            from sightline.live.application import Shown, make_application
            from sightline.live.server import Server
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("sl.Web", "web") from error
        shown = Shown(
            feeds=lambda: list(self._feeds.values()),
            stats=lambda: {} if self.stats is None else self.stats(),
            metrics=lambda: None if self.metrics is None else self.metrics(),
        )
        return Server(make_application(shown), host=self.host, port=self.port)


class _StreamSink:
    """The sink of one stream."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._feed: Feed | None = None

    def open(self, stream: StreamInfo) -> None:
        if self._feed is not None:
            raise RuntimeError("Web is open already")
        self._feed = self._web._show(stream)  # noqa: SLF001 - of one module

    def write(self, frame: Frame) -> None:
        if self._feed is None:
            raise RuntimeError("Web is not open")
        self._feed.put(frame, time.monotonic())

    def close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._web._remove(feed)  # noqa: SLF001

    def discard(self) -> None:
        self.close()
