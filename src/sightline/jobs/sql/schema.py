"""The tables of the job service, as the newest version of the migrations makes them.

Times are seconds since 1970. Identifiers are given by the service, and sort by time of creation.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "audit",
    "deliveries",
    "idempotency",
    "jobs",
    "keys",
    "labels",
    "metadata",
    "tasks",
    "uploads",
    "usage",
    "workers",
]

_Json = JSON(none_as_null=True)

metadata = MetaData(
    naming_convention={
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("expires_at", Double),
    Column("source_folded", Text, nullable=False),  # the source's name without its case, to search
    Column("step", String(16)),
    Column("frames_done", BigInteger, nullable=False),
    Column("frames_total", BigInteger),
    Column("bytes_done", BigInteger, nullable=False),
    Column("bytes_total", BigInteger),
    Column("chunks_total", Integer, nullable=False),
    Column("chunks_done", Integer, nullable=False),
    Column("chunks_running", Integer, nullable=False),
    Column("chunks_failed", Integer, nullable=False),
    Column("frames_final", BigInteger, nullable=False),
    Column("frames_kept", BigInteger, nullable=False, server_default="0"),
    Column("detect_since", Double),
    Column("detect_from", BigInteger, nullable=False, server_default="0"),
    Column("partial", Boolean, nullable=False),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("video", _Json),
    Column("warnings", _Json, nullable=False),
    Column("spec", _Json, nullable=False),
    Column("priority", String(16), nullable=False, server_default="normal"),
    Column("summary", _Json, nullable=False),
    Index(None, "owner", "id"),
    Index(None, "state", "id"),
    Index(None, "state", "priority", "id"),
    Index(None, "owner", "state", "id"),
    Index(None, "state", "expires_at"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("queue", String(16), nullable=False, server_default="detect"),
    # Job and number once more. By them alone, PostgreSQL would look for the next task in the order
    # of the primary key, past all that are done, whenever its statistics are old.
    Column("turn", String(80), nullable=False, server_default=""),
    Column("state", String(16), nullable=False),
    Column("token", String(64)),  # of the lease; none without one
    Column("begin_pts", BigInteger),
    Column("end_pts", BigInteger),
    Column("seek_pts", BigInteger),
    Column("span_frames", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text),
    Column("leased_until", Double),
    Column("not_before", Double, nullable=False),
    Column("frames_done", BigInteger, nullable=False),
    Column("result", String(64)),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("warnings", _Json, nullable=False),
    Index(None, "queue", "state", "turn", "kind"),
)

labels = Table(
    "labels",
    metadata,
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "name", "value", "job_id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), nullable=False, index=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", String(128), nullable=False, unique=True),
    Column("scopes", _Json, nullable=False),
    Column("limits", _Json, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("unverified_from", BigInteger),  # what follows in the file does not count yet
    Column("job_id", String(64)),  # which took it; that job may have been removed since
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

usage = Table(
    "usage",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("at", Double, nullable=False, index=True),  # when the job was submitted
    Column("video_s", Double, nullable=False),
    Index(None, "owner", "at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("event", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Double, index=True),  # of the next attempt; none once it is over
    Column("done_at", Double),
    Column("status", Integer),
    Column("last_error", Text),
    Column("created_at", Double, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("owner", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", _Json, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("queues", _Json, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    Column("lost", Integer, nullable=False),  # processes that died, and were replaced
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False, index=True),
)
