"""Who makes a request, and whether that is allowed: keys, session cookies, and nobody in between.

A key comes in `Authorization: Bearer` or `X-API-Key`, never in the address. Where the service is
reachable from its own machine only and has never had a key, everybody is the local user.
"""

import hashlib
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from enum import Enum

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request, cookie_parser

from sightline.errors import SightlineError
from sightline.jobs.sql.engines import DatabaseError
from sightline.service.keys import Key, KeyStore
from sightline.service.origin import is_loopback
from sightline.service.owner import Owner, Scope
from sightline.service.problems import ProblemError
from sightline.service.rate_limit import Rate, RateLimiter, address_group
from sightline.service.session_cookie import SESSION_COOKIE, SessionCookies

__all__ = [
    "Authenticator",
    "Authority",
    "BindingError",
    "Identity",
    "check_binding",
    "client_address",
    "identity_of",
    "measures",
    "reads",
    "writes",
]

_log = logging.getLogger(__name__)

_WRONG_KEYS = Rate(per_second=1 / 6, burst=10)
_TRUSTED_S = 1.0
_MOST_KNOWN = 1000


class BindingError(SightlineError, ValueError):
    """The service must not listen on this address as it is set up."""


class Authority(Enum):
    """What a request proved."""

    KEY = "key"
    COOKIE = "cookie"
    NONE = "none needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who makes a request, and by what.

    Attributes:
        owner: Who.
        authority: What was proved.
    """

    owner: Owner
    authority: Authority


class Authenticator:
    """Finds out who makes a request.

    A key is looked up again after a second at the latest, so that one that another process revoked
    is of no use from then on. Wrong keys are counted per client address, and further keys from
    there are not even looked up, but for those that were good before.

    Args:
        keys: The keys.
        cookies: Reads the session cookies.
        local: Only this machine reaches the service, so that it may do without keys.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        keys: KeyStore,
        cookies: SessionCookies,
        *,
        local: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._cookies = cookies
        self._local = local
        self._clock = clock
        self._failures = RateLimiter()
        self._known: OrderedDict[str, tuple[Key, float]] = OrderedDict()
        self._open_until = 0.0

    async def identify(self, connection: HTTPConnection) -> Identity | None:
        """Find out who makes a request; None: nobody that is known.

        Raises:
            ProblemError: It has a key that is wrong or revoked, or there were too many of those.
        """
        secret = _given_key(connection.headers)
        if secret is not None:
            owner = await self.owner_of(secret, address=client_address(connection))
            return Identity(owner=owner, authority=Authority.KEY)
        value = cookie_parser(connection.headers.get("cookie", "")).get(SESSION_COOKIE)
        if value is not None:
            key_id = self._cookies.read(value, now_s=self._clock())
            key = None if key_id is None else await self._key_of_session(key_id)
            if key is not None:
                return Identity(owner=key.owner, authority=Authority.COOKIE)
        if await self._is_open():
            return Identity(owner=Owner.of_local_user(), authority=Authority.NONE)
        return None

    async def owner_of(self, secret: str, *, address: str) -> Owner:
        """Give the owner of a key.

        Raises:
            ProblemError: The key is wrong or revoked, or too many wrong ones came from there.
        """
        name = hashlib.sha256(secret.encode()).hexdigest()
        who = address_group(address)
        waiting = self._failures.take(who, _WRONG_KEYS, now_s=time.monotonic(), tokens=0)
        if not waiting.allowed and name not in self._known:
            raise ProblemError(
                "too-many-requests",
                "too many wrong keys came from this address; wait before the next one",
                headers=waiting.headers("wrong-keys"),
            )
        now_s = self._clock()
        key = await self._known_or(name, lambda: self._keys.find(secret, now_s=now_s))
        if key is None:
            self._failures.take(who, _WRONG_KEYS, now_s=time.monotonic())
            raise _unauthorized("the key is unknown or revoked")
        return key.owner

    async def still_known(self, owner_ids: Collection[str]) -> set[str]:
        """Tell which of those who were let in would be let in now: others' keys were revoked."""
        known = await to_thread.run_sync(self._keys.active, [name for name in owner_ids if name])
        if "" in owner_ids and await self._is_open():
            known.add("")
        return known

    async def while_known(self, owner: Owner, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give the pieces of a body on, as long as their sender would be let in.

        That is looked up when a piece comes, once a second at most.

        Raises:
            ProblemError: The key was revoked, or there is one where none was needed; status 401.
        """
        trusted_until_s = time.monotonic() + _TRUSTED_S
        async for piece in pieces:
            if time.monotonic() >= trusted_until_s:
                await self._check_still_known(owner)
                trusted_until_s = time.monotonic() + _TRUSTED_S
            yield piece

    async def _check_still_known(self, owner: Owner) -> None:
        try:
            known = await self.still_known([owner.id])
        except DatabaseError as error:
            # A long upload outlives that; nothing comes of it before the database is back.
            _log.warning("the key of an upload under way could not be looked up: %s", error)
            return
        if owner.id not in known:
            detail = "the key was revoked" if owner.id else "a key is needed from now on"
            # The rest of the body would be awaited if the connection were to stay.
            raise _unauthorized(detail, Connection="close")

    async def _key_of_session(self, key_id: str) -> Key | None:
        return await self._known_or(key_id, lambda: self._keys.get_active(key_id))

    async def _known_or(self, name: str, load: Callable[[], Key | None]) -> Key | None:
        now_s = time.monotonic()
        if name in self._known and now_s < self._known[name][1]:
            return self._known[name][0]
        key = await to_thread.run_sync(load)
        if key is None:
            self._known.pop(name, None)
            return None
        self._known[name] = (key, now_s + _TRUSTED_S)
        self._known.move_to_end(name)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return key

    async def _is_open(self) -> bool:
        """Tell whether no key is needed; once there is a key, that never comes back."""
        if self._local and time.monotonic() >= self._open_until:
            self._local = not await to_thread.run_sync(self._keys.any_ever)
            self._open_until = time.monotonic() + _TRUSTED_S
        return self._local


def identity_of(request: Request) -> Identity:
    """Give who makes a request, as the gate found out.

    Raises:
        ProblemError: Nobody that is known.
    """
    identity: Identity | None = request.state.identity
    if identity is None:
        raise _unauthorized("this needs a key, as 'Authorization: Bearer' or a session")
    return identity


def reads(request: Request) -> Owner:
    """Give who makes a request, if that one may read jobs.

    Raises:
        ProblemError: Nobody that is known, or the scope is missing; status 401 or 403.
    """
    return _with_scope(request, Scope.READ)


def writes(request: Request) -> Owner:
    """The same for who may submit and change jobs."""
    return _with_scope(request, Scope.WRITE)


def measures(request: Request) -> Owner:
    """The same for who may see what the service measures."""
    return _with_scope(request, Scope.METRICS)


def client_address(connection: HTTPConnection) -> str:
    """Give the address that a request came from; "" through a local socket."""
    return connection.client.host if connection.client is not None else ""


def check_binding(host: str, *, has_keys: bool) -> bool:
    """Check that a service without keys listens on this machine only.

    Args:
        host: Name or address to listen on; "" stands for all interfaces.
        has_keys: Whether there is a key that is not revoked.

    Returns:
        Whether it is this machine only that will reach the service.

    Raises:
        BindingError: Others would, and there are no keys.
    """
    local = _only_loopback(host)
    if not local and not has_keys:
        raise BindingError(
            f"does not listen on {host or 'all interfaces'} without keys: everybody who reaches "
            "it could use it; make a key with 'sightline keys create', or listen on 127.0.0.1"
        )
    return local


def _only_loopback(host: str) -> bool:
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise BindingError(f"cannot listen on {host!r}: {error.strerror or error}") from error
    return all(is_loopback(str(entry[4][0])) for entry in found)


def _given_key(headers: Headers) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return headers.get("x-api-key")


def _with_scope(request: Request, scope: Scope) -> Owner:
    owner = identity_of(request).owner
    if not owner.may(scope):
        raise ProblemError("forbidden", f"this needs a key with the scope {scope}")
    return owner


def _unauthorized(detail: str, **headers: str) -> ProblemError:
    return ProblemError("unauthorized", detail, headers={"WWW-Authenticate": "Bearer", **headers})
