"""Queues, so that workers can serve some tasks only, and interactive jobs come first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"

_QUEUES = {"ingest": "ingest", "chunk": "detect", "final": "finalize"}


def upgrade() -> None:
    """Give every job a priority, and every task the queue of its kind and its turn in it."""
    # SQLite adds a column that is never empty only with a default, and makes tables anew otherwise:
    # the rows that belong to those of the old table would be deleted with them.
    op.add_column(
        "jobs", sa.Column("priority", sa.String(16), nullable=False, server_default="normal")
    )
    op.add_column(
        "tasks", sa.Column("queue", sa.String(16), nullable=False, server_default="detect")
    )
    op.add_column("tasks", sa.Column("turn", sa.String(80), nullable=False, server_default=""))
    _fill_tasks()
    op.create_index(op.f("ix_jobs_state_priority_id"), "jobs", ["state", "priority", "id"])
    op.drop_index(op.f("ix_tasks_kind_state_job_id_number"), "tasks")
    op.create_index(
        op.f("ix_tasks_queue_state_turn_kind"), "tasks", ["queue", "state", "turn", "kind"]
    )


def _fill_tasks() -> None:
    names = ("job_id", "kind", "number", "queue", "turn")
    tasks = sa.table("tasks", *(sa.column(name, sa.String) for name in names))
    digits = sa.literal("0000000").concat(sa.cast(tasks.c.number, sa.Text))
    last = sa.func.substr(digits, sa.func.length(digits) - 6)
    op.execute(
        tasks.update().values(
            queue=sa.case(_QUEUES, value=tasks.c.kind),
            turn=tasks.c.job_id.concat("/").concat(last),
        )
    )
