"""The rate of a job that was tried again is of the frames since then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Note how many frames were done when the first one was begun."""
    op.add_column(
        "jobs", sa.Column("detect_from", sa.BigInteger, nullable=False, server_default="0")
    )
