"""How much video an owner has had processed within a day, by jobs that may be deleted since.

As long as a job is there, its own row tells; what it has used stays when that is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import uuid_utils
from sqlalchemy import delete, func, insert, literal, select

from sightline.jobs.sql.schema import jobs, usage

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["forget_usage", "keep_usage", "used_video_s"]

_DAY_S = 86400.0
_VIDEO_S = jobs.c.video["duration_s"].as_float()


def keep_usage(connection: Connection, job_id: str) -> None:
    """Keep what a job has used, in the transaction that removes it; nothing without a video."""
    used = select(
        literal(str(uuid_utils.uuid7())), jobs.c.owner, jobs.c.created_at, _VIDEO_S
    ).where(jobs.c.id == job_id, _VIDEO_S.is_not(None))
    connection.execute(insert(usage).from_select(["id", "owner", "at", "video_s"], used))


def forget_usage(connection: Connection, *, now_s: float) -> None:
    """Remove what no longer counts; rows that others are about to remove are left to them."""
    over = select(usage.c.id).where(usage.c.at <= now_s - _DAY_S).with_for_update(skip_locked=True)
    connection.execute(delete(usage).where(usage.c.id.in_(over)))


def used_video_s(connection: Connection, owner: str, *, now_s: float) -> float:
    """Add up the seconds of video of an owner's jobs of the last 24 hours."""
    since_s = now_s - _DAY_S
    of_jobs = select(func.coalesce(func.sum(_VIDEO_S), 0.0)).where(
        jobs.c.owner == owner, jobs.c.created_at > since_s
    )
    of_deleted_jobs = select(func.coalesce(func.sum(usage.c.video_s), 0.0)).where(
        usage.c.owner == owner, usage.c.at > since_s
    )
    return float(
        connection.execute(
            select(of_jobs.scalar_subquery() + of_deleted_jobs.scalar_subquery())
        ).scalar_one()
    )
