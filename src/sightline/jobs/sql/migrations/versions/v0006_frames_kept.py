"""A job knows how far its published results go, whatever a later final pass is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0006"
down_revision = "0005"

_ENDED = ("succeeded", "failed", "canceled", "expired")


def upgrade() -> None:
    """Take the results of jobs at their end for as long as their last final pass has come."""
    op.add_column(
        "jobs", sa.Column("frames_kept", sa.BigInteger, nullable=False, server_default="0")
    )
    jobs = sa.table("jobs", sa.column("state"), sa.column("frames_kept"), sa.column("frames_final"))
    op.execute(
        sa.update(jobs).where(jobs.c.state.in_(_ENDED)).values(frames_kept=jobs.c.frames_final)
    )
