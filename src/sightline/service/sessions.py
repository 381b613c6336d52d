"""Routes for the web page: a key becomes a session cookie, and tells who one is."""

import time
from collections.abc import Callable
from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sightline.service.auth import Authenticator, client_address, identity_of, writes
from sightline.service.owner import Scope
from sightline.service.secret import ServerSecret
from sightline.service.session_cookie import SESSION_COOKIE, SessionCookies

__all__ = ["Me", "SessionRequest", "WebhookSecret", "session_router"]


class SessionRequest(BaseModel):
    """A key to begin a session with."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200)


class Me(BaseModel):
    """Who makes the request."""

    id: str = Field(description="Owner of the jobs that are submitted; empty for the local user.")
    name: str
    scopes: list[Scope]
    limits: dict[str, int | float | None]
    authority: str = Field(description='What was proved: "key", "cookie" or "none needed".')


class WebhookSecret(BaseModel):
    """What the webhooks of one's jobs are signed with."""

    secret: str = Field(description="In the form of the Standard Webhooks specification.")


def session_router(
    authenticator: Authenticator,
    cookies: SessionCookies,
    secret: ServerSecret,
    *,
    clock: Callable[[], float] = time.time,
) -> APIRouter:
    """Make the routes `/v1/session`, `/v1/me` and `/v1/me/webhook-secret`."""
    routes = _Routes(authenticator, cookies, secret, clock)
    router = APIRouter(prefix="/v1", tags=["session"])
    router.add_api_route("/session", routes.begin_session, methods=["POST"], status_code=204)
    router.add_api_route("/session", routes.end_session, methods=["DELETE"], status_code=204)
    router.add_api_route("/me", routes.tell_me, methods=["GET"])
    router.add_api_route("/me/webhook-secret", routes.tell_webhook_secret, methods=["GET"])
    return router


class _Routes:
    def __init__(
        self,
        authenticator: Authenticator,
        cookies: SessionCookies,
        secret: ServerSecret,
        clock: Callable[[], float],
    ) -> None:
        self._authenticator = authenticator
        self._cookies = cookies
        self._secret = secret
        self._clock = clock

    async def begin_session(self, wanted: SessionRequest, request: Request) -> Response:
        """Begin a session: the key becomes a cookie that scripts cannot read."""
        owner = await self._authenticator.owner_of(wanted.key, address=client_address(request))
        response = Response(status_code=204)
        response.set_cookie(
            SESSION_COOKIE,
            self._cookies.make(owner.id, now_s=self._clock()),
            max_age=self._cookies.lifetime_s,
            httponly=True,
            samesite="strict",
            secure=_is_https(request),
        )
        return response

    async def end_session(self, request: Request) -> Response:
        """End the session: the browser forgets the cookie."""
        response = Response(status_code=204)
        response.delete_cookie(
            SESSION_COOKIE, httponly=True, samesite="strict", secure=_is_https(request)
        )
        return response

    async def tell_me(self, request: Request) -> Me:
        """Tell who makes the request, and what is allowed."""
        identity = identity_of(request)
        owner = identity.owner
        return Me(
            id=owner.id,
            name=owner.name,
            scopes=sorted(owner.scopes),
            limits=asdict(owner.limits),
            authority=identity.authority.value,
        )

    async def tell_webhook_secret(self, request: Request) -> WebhookSecret:
        """Give the secret to check the signatures of webhooks with."""
        return WebhookSecret(secret=self._secret.webhook_secrets(writes(request).id)[0])


def _is_https(request: Request) -> bool:
    """Tell whether the browser came by HTTPS, which before a proxy only the page's origin shows."""
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.startswith("https://")
