"""The HTTP interface of the live view: the page, the list of streams, their pictures.

    GET /                        the page
    GET /streams                 JSON: what is known of every stream
    GET /streams/NAME.mjpeg      multipart/x-mixed-replace, for browsers and players
    GET /streams/NAME.jpg        the next frame
    GET /watch?stream=A&stream=B pictures of several streams over one connection, for the page:
                                 a browser opens no more than six connections to a server
    GET /metrics                 Prometheus text, where the runner provides it

What `/watch` sends is a row of records, integers with the highest byte first:

    ┌───────────────────────────────────┬───────────────────┬──────────────┐
    │ position in the query: 4 bytes    │ length: 4 bytes   │ JPEG         │
    └───────────────────────────────────┴───────────────────┴──────────────┘

It answers requests; how it is served, and where frames come from, is not its business.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sightline.live.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from sightline.live.feed import Feed

__all__ = ["SECURITY_HEADERS", "Shown", "make_application"]

SECURITY_HEADERS = (
    (
        "content-security-policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)
_BOUNDARY = "picture"
_RECORD = struct.Struct(">II")
_NEXT_FRAME_TIMEOUT_S = 5.0
_PAGE = {
    "": ("index.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "pictures.js": ("pictures.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the application shows; its functions are called per request and must be quick.

    Attributes:
        feeds: The streams.
        stats: More about streams, by name, to go into `/streams`.
        metrics: Text in the format of Prometheus; None where there is none.
    """

    feeds: Callable[[], Sequence[Feed]]
    stats: Callable[[], Mapping[str, Mapping[str, Any]]]
    metrics: Callable[[], str | None]


def make_application(shown: Shown) -> Starlette:
    """Make the ASGI application; the server adds `SECURITY_HEADERS` to every response."""
    views = _Views(shown)
    page = [Route(f"/{path}", _static(*file)) for path, file in _PAGE.items()]
    return Starlette(
        routes=[
            *page,
            Route("/streams", views.list_streams),
            Route("/streams/{name:path}.mjpeg", views.motion_jpeg),
            Route("/streams/{name:path}.jpg", views.snapshot),
            Route("/watch", views.watch),
            Route("/metrics", views.metrics),
        ]
    )


def _static(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = files("sightline.live").joinpath("page", name).read_bytes()

    async def serve(_: Request) -> Response:
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

    return serve


class _Views:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    async def list_streams(self, _: Request) -> Response:
        stats = self._shown.stats()
        now_s = time.monotonic()
        streams = [
            {
                **_plain(stats.get(feed.stream.name, {})),
                **feed.describe(now_s),
                "path": f"streams/{quote(feed.name, safe='')}",
            }
            for feed in self._shown.feeds()
        ]
        return _fresh(json.dumps({"streams": streams}), "application/json")

    async def motion_jpeg(self, request: Request) -> Response:
        viewer = Viewer([self._find(request.path_params["name"])])
        return _stream(
            request, _multipart(viewer), f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        )

    async def watch(self, request: Request) -> Response:
        viewer = Viewer([self._find(name) for name in request.query_params.getlist("stream")])
        return _stream(request, _records(viewer), "application/octet-stream")

    async def snapshot(self, request: Request) -> Response:
        feed = self._find(request.path_params["name"])
        try:
            async with asyncio.timeout(_NEXT_FRAME_TIMEOUT_S):
                with Viewer([feed]) as viewer:
                    async for _, jpeg in viewer.pictures():
                        return _fresh(jpeg, "image/jpeg")
        except TimeoutError:
            pass
        raise HTTPException(503, f"no frame within {_NEXT_FRAME_TIMEOUT_S:g} s")

    async def metrics(self, _: Request) -> Response:
        text = self._shown.metrics()
        if text is None:
            raise HTTPException(404)
        return _fresh(text, "text/plain; version=0.0.4")

    def _find(self, name: str) -> Feed:
        for feed in self._shown.feeds():
            if feed.name == name:
                return feed
        raise HTTPException(404, "no such stream")


def _fresh(content: str | bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"cache-control": "no-store"})


def _stream(request: Request, body: AsyncGenerator[bytes, None], media_type: str) -> Response:
    if request.method == "HEAD":
        return _fresh(b"", media_type)
    return _EndingStream(body, media_type=media_type, headers={"cache-control": "no-store"})


class _EndingStream(StreamingResponse):
    """Ends its body with the connection, and not when the garbage is collected."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().__call__(scope, receive, send)


async def _multipart(viewer: Viewer) -> AsyncGenerator[bytes, None]:
    # The boundary follows its part at once: browsers show a part when they have seen it end.
    delimiter = f"--{_BOUNDARY}\r\n".encode()
    yield delimiter
    with viewer:
        async for _, jpeg in viewer.pictures():
            head = f"content-type: image/jpeg\r\ncontent-length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n" + delimiter


async def _records(viewer: Viewer) -> AsyncGenerator[bytes, None]:
    with viewer:
        async for position, jpeg in viewer.pictures():
            yield _RECORD.pack(position, len(jpeg)) + jpeg


def _plain(value: Any) -> Any:
    """Make values fit for JSON, which has no infinity and no NaN: they become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
