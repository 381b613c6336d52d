"""How much an owner, and all together, may have the service do; asked before a body is read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.jobs.sql.usage import used_video_s
from sightline.service.problems import ProblemError
from sightline.service.rate_limit import Rate, RateLimiter, address_group

if TYPE_CHECKING:
    from sightline.jobs.sql.database import Database
    from sightline.jobs.store import JobStore
    from sightline.service.owner import Owner

__all__ = ["Quota"]

_JOB_WAIT_S = 10
_QUEUE_WAIT_S = 30
_VIDEO_WAIT_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Decides on submissions; may be used by several threads.

    Two submissions at the same moment may both see the last place free; the limits are there
    against floods, not for accounting.

    Attributes:
        store: Counts the jobs.
        database: Knows what the jobs of a day have used.
        queued_jobs: Jobs of everybody that may be active at a time.
        submissions: Counts submissions per owner.
    """

    store: JobStore
    database: Database
    queued_jobs: int
    submissions: RateLimiter

    def admit(self, owner: Owner, *, address: str, now_s: float) -> dict[str, str]:
        """Count one submission, if there is room for it; blocks on the database.

        Args:
            owner: Who submits or retries a job.
            address: Where the request came from; it counts where no key tells owners apart.
            now_s: Seconds since 1970.

        Returns:
            Headers for the answer, which tell how many more may follow.

        Raises:
            ProblemError: There is no room; status 429 or 503, with `Retry-After`.
        """
        if self.store.count() >= self.queued_jobs:
            raise ProblemError(
                "overloaded",
                f"{self.queued_jobs} jobs are waiting or running already; try again later",
                headers={"Retry-After": str(_QUEUE_WAIT_S)},
            )
        limits = owner.limits
        if self.store.count(owner=owner.id) >= limits.active_jobs:
            raise _used_up(
                f"{limits.active_jobs} of your jobs are active, which is the most; wait for one",
                _JOB_WAIT_S,
            )
        if limits.video_s_per_day is not None:
            self._check_video(owner, limits.video_s_per_day, now_s=now_s)
        rate = Rate.per_minute(limits.submissions_per_minute)
        who = owner.id or address_group(address)
        verdict = self.submissions.take(who, rate, now_s=time.monotonic())
        if not verdict.allowed:
            raise ProblemError(
                "too-many-requests",
                f"more than {limits.submissions_per_minute} submissions in a minute; wait",
                headers=verdict.headers("submissions"),
            )
        return verdict.headers("submissions")

    def _check_video(self, owner: Owner, most_s: float, *, now_s: float) -> None:
        with self.database.read() as connection:
            used_s = used_video_s(connection, owner.id, now_s=now_s)
        if used_s >= most_s:
            raise _used_up(
                f"{used_s:.0f} s of video in 24 hours, of {most_s:.0f} s that you may have",
                _VIDEO_WAIT_S,
            )


def _used_up(detail: str, wait_s: int) -> ProblemError:
    return ProblemError("quota-exceeded", detail, headers={"Retry-After": str(wait_s)})
