"""What every request passes before the application sees it, and before its body is read.

In this order: whether there is room for it, the name it asks for, who makes it, whether a foreign
page does, how often, and the size of the body and its pace. What fails is answered with a problem
document at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from sightline.service.auth import Authority, client_address
from sightline.service.body import BodyCutError, Pace, read_whole, replayed
from sightline.service.origin import check_host, check_origin
from sightline.service.problems import ProblemError, problem_response
from sightline.service.rate_limit import Rate, RateLimiter, address_group

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sightline.service.auth import Authenticator, Identity

__all__ = ["CROWDED", "Gate", "GateSettings"]

CROWDED = "is_crowded"
"""In the state of a request: there are more connections than there may be; the server notes it."""

_ASK_LATER = {"Retry-After": "5", "Connection": "close"}
_MOST_DIGITS = 18
_GUARDED = ("/v1/", "/push", "/status/")
_UNGUARDED = ("/v1/session",)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What the gate lets pass.

    Attributes:
        names: Names of the service besides those of loopback; None: it may be asked under any,
            as is due where others than this machine reach it, all of them with keys.
        requests: How often one owner, or one address without a key, may ask.
        body_bytes: Size of the body of a request that is no upload.
        pace: How slowly such a body may arrive.
    """

    names: frozenset[str] | None = frozenset()
    requests: Rate = field(default_factory=lambda: Rate(per_second=500.0, burst=2000))
    body_bytes: int = 256 * 1024
    pace: Pace = field(default_factory=lambda: Pace(total_s=60.0))


class Gate:
    """Stands before an application; leaves the `Identity` or None in `request.state.identity`.

    Args:
        application: What is behind it.
        authenticator: Finds out who makes a request.
        settings: What passes.
    """

    def __init__(
        self,
        application: ASGIApp,
        authenticator: Authenticator,
        *,
        settings: GateSettings | None = None,
    ) -> None:
        self._application = application
        self._authenticator = authenticator
        self._settings = settings or GateSettings()
        self._limiter = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it with a problem document."""
        if scope["type"] == "http":
            try:
                identity = await self._identify(HTTPConnection(scope))
                scope.setdefault("state", {})["identity"] = identity
                receive = await self._with_body(HTTPConnection(scope), receive)
            except ProblemError as problem:
                request_id = scope.get("state", {}).get("request_id")
                await problem_response(problem, request_id=request_id)(scope, receive, send)
                return
            except BodyCutError:
                return
        await self._application(scope, receive, send)

    async def _identify(self, connection: HTTPConnection) -> Identity | None:
        method: str = connection.scope["method"]
        headers = connection.headers
        if connection.scope.get("state", {}).get(CROWDED):
            raise ProblemError("overloaded", "there are too many connections", headers=_ASK_LATER)
        if self._settings.names is not None:
            check_host(headers.get("host", ""), self._settings.names)
        identity = await self._authenticator.identify(connection)
        if identity is None or identity.authority is not Authority.KEY:
            by_cookie = identity is not None and identity.authority is Authority.COOKIE
            check_origin(method, headers, proof=by_cookie)
        self._limit(connection, identity)
        if identity is None and _needs_identity(connection.scope["path"]):
            raise ProblemError(
                "unauthorized",
                "this needs a key, as 'Authorization: Bearer', or a session",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return identity

    def _limit(self, connection: HTTPConnection, identity: Identity | None) -> None:
        if identity is not None and identity.owner.id:
            who = f"owner {identity.owner.id}"
        else:
            who = f"address {address_group(client_address(connection))}"
        verdict = self._limiter.take(who, self._settings.requests, now_s=time.monotonic())
        if not verdict.allowed:
            raise ProblemError(
                "too-many-requests", "too many requests; wait", headers=verdict.headers("requests")
            )

    async def _with_body(self, connection: HTTPConnection, receive: Receive) -> Receive:
        """Read a body that is no upload, so that nothing behind the gate waits for it."""
        headers = connection.headers
        length = headers.get("content-length", "0" if "transfer-encoding" not in headers else "1")
        if length == "0" or _is_upload(connection):
            return receive
        limit = self._settings.body_bytes
        if not length.isdecimal() or len(length) > _MOST_DIGITS or int(length) > limit:
            raise ProblemError("too-large", f"the body may have {limit} bytes at most")
        return replayed(await read_whole(receive, self._settings.pace, limit=limit), receive)


def _needs_identity(path: str) -> bool:
    return path.startswith(_GUARDED) and path not in _UNGUARDED


def _is_upload(connection: HTTPConnection) -> bool:
    """Tell whether a route reads this body piece by piece, with limits of its own."""
    path: str = connection.scope["path"]
    if path == "/v1/jobs":
        return connection.headers.get("content-type", "").lower().startswith("multipart/form-data")
    return path.startswith("/v1/uploads")
