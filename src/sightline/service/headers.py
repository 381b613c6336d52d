"""What every answer carries: headers that tell browsers to be careful, and a name for the log."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.requests import Request

from sightline.service.problems import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HeadAsGet", "Headers", "is_head"]

_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    b"media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_SECURITY_HEADERS = (
    (b"content-security-policy", _CONTENT_POLICY),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_OWN_HEAD = "/v1/uploads"
_HEAD_MARK = "sightline.head"


class Headers:
    """Adds headers to every answer, and `request_id` to the state of every request.

    It answers errors that nobody has answered behind it, too, so that such answers have them.

    Args:
        application: What is behind it.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                own = {name for name, _ in headers}
                headers += [header for header in _SECURITY_HEADERS if header[0] not in own]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._application(scope, receive, send_with_headers)
        except Exception as error:
            answer = error_response(Request(scope), error)
            if has_begun:
                raise  # the server breaks the answer off
            await answer(scope, receive, send_with_headers)


class HeadAsGet:
    """Answers HEAD as GET, without the content, but for uploads, where it means something else.

    Args:
        application: What is behind it.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if (
            scope["type"] != "http"
            or scope["method"] != "HEAD"
            or scope["path"].startswith(_OWN_HEAD)
        ):
            await self._application(scope, receive, send)
            return

        async def send_without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope = {**scope, "method": "GET", _HEAD_MARK: True}
        await self._application(scope, receive, send_without_content)


def is_head(scope: Scope) -> bool:
    """Tell whether a request that looks like GET was HEAD: do not make long content for it."""
    return bool(scope.get(_HEAD_MARK))
