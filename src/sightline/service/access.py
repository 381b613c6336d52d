"""Everything about who may do what, put together: keys, sessions, quotas, the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sightline.service.audit import AuditLog
from sightline.service.auth import Authenticator
from sightline.service.keys import KeyStore
from sightline.service.quota import Quota
from sightline.service.rate_limit import RateLimiter
from sightline.service.session_cookie import SessionCookies

if TYPE_CHECKING:
    from sightline.jobs.sql.database import Database
    from sightline.jobs.store import JobStore
    from sightline.service.secret import ServerSecret

__all__ = ["Access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may do what.

    Attributes:
        secret: Signs sessions and webhooks.
        cookies: Makes session cookies.
        authenticator: Finds out who makes a request.
        quota: Decides on submissions.
        audit: Records who did what.
    """

    secret: ServerSecret
    cookies: SessionCookies
    authenticator: Authenticator
    quota: Quota
    audit: AuditLog

    @classmethod
    def over(
        cls,
        database: Database,
        store: JobStore,
        *,
        secret: ServerSecret,
        local: bool,
        queued_jobs: int = 100_000,
    ) -> Self:
        """Put everything together.

        Args:
            database: Has the keys and the audit log.
            store: Counts the jobs.
            secret: Signs sessions and webhooks.
            local: Only this machine reaches the service; without keys everybody is the local user.
            queued_jobs: Jobs of everybody that may be unfinished at a time.
        """
        cookies = SessionCookies(secret)
        return cls(
            secret=secret,
            cookies=cookies,
            authenticator=Authenticator(
                KeyStore(database), cookies, local=local, clock=database.clock
            ),
            quota=Quota(
                store=store,
                database=database,
                queued_jobs=queued_jobs,
                submissions=RateLimiter(),
            ),
            audit=AuditLog(database),
        )
