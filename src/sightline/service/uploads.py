"""Videos that clients upload: a row each, and a file that may arrive in pieces.

How much of an upload is there, its file tells and nothing else, so that there is nothing to put
right after a crash. Only where bytes must not count before they are complete, because a checksum
or the end of a form is due, the row says from where on they do not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import uuid_utils
from sqlalchemy import and_, delete, func, insert, select, update

from sightline.jobs.artifacts import remove_or_log
from sightline.jobs.files import is_identifier
from sightline.jobs.sql import schema
from sightline.jobs.sql.locks import hold_name
from sightline.jobs.states import JobState
from sightline.service.body import Pace
from sightline.service.problems import ProblemError
from sightline.service.upload_file import UploadFile, check_room, size_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from sightline.jobs.files import Storage
    from sightline.jobs.sql.database import Database
    from sightline.service.owner import Owner

__all__ = ["Upload", "UploadLimits", "Uploads", "display_name"]

_LONGEST_NAME = 255
_QUOTA_WAIT_S = 60
_ACCEPTANCE_S = 600.0
"""Between the moment that a job takes an upload and its own row, no more than this may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is taken in.

    Attributes:
        upload_bytes: Size of one upload.
        open_uploads: Uploads of one owner that no job has taken, at a time.
        free_bytes: Room on the disk that is to be left.
        keep_s: An upload that no job takes is removed so long after it was last written to.
        pace: How slowly bytes may arrive.
    """

    upload_bytes: int = 20 * 1024**3
    open_uploads: int = 100
    free_bytes: int = 1024**3
    keep_s: float = 86400.0
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload as its row has it.

    Attributes:
        id: Unique.
        owner: Id of the owner.
        name: What the client calls the file; any text.
        length: How many bytes there will be.
        unverified_from: What follows this byte of the file does not count yet; None: all counts.
        job_id: Which job took it; None: none yet.
        expires_at: When it is removed, unless a job has taken it.
    """

    id: str
    owner: str
    name: str
    length: int
    unverified_from: int | None = None
    job_id: str | None = None
    expires_at: float


class Uploads:
    """Keeps uploads; all methods block, and may be called by any thread and process.

    Args:
        database: Has their rows, and the jobs.
        storage: Has their files.
        limits: What is taken in.
        clock: Seconds since 1970.

    Attributes:
        limits: As given.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        limits: UploadLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits or UploadLimits()
        self._database = database
        self._storage = storage
        self._clock = clock

    def most_bytes(self, owner: Owner) -> int:
        """Say how large one upload of an owner may be, if it is the only one."""
        return min(self.limits.upload_bytes, owner.limits.upload_bytes)

    def create(self, owner: Owner, *, length: int, name: str) -> Upload:
        """Begin an upload.

        Args:
            owner: Whose.
            length: How many bytes there will be; at most, if `complete` will tell.
            name: What the client calls the file.

        Raises:
            ProblemError: It is too large, the owner has too many, or the disk is full; status 413,
                429 or 507.
        """
        if length > self.most_bytes(owner):
            raise ProblemError(
                "too-large", f"an upload may have {self.most_bytes(owner)} bytes, not {length}"
            )
        upload = Upload(
            id=str(uuid_utils.uuid7()),
            owner=owner.id,
            name=display_name(name),
            length=length,
            expires_at=self._clock() + self.limits.keep_s,
        )
        path = self._path(upload)
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path.parent, length + self.limits.free_bytes)
        with self._database.write() as connection:
            hold_name(connection, "uploads", owner.id)
            self._check_quota(connection, owner, length)
            connection.execute(insert(schema.uploads).values(self._row(upload)))
        path.touch(mode=0o600)
        return upload

    def get(self, upload_id: str, owner: Owner) -> Upload:
        """Give an upload.

        Raises:
            ProblemError: The owner has none of that id; status 404.
        """
        with self._database.read() as connection:
            return self._get(connection, upload_id, owner)

    def offset(self, upload: Upload) -> int:
        """Tell how many bytes of an upload are on the disk, for good."""
        if upload.job_id is not None:
            return upload.length
        size = size_on_disk(self._path(upload))
        return size if upload.unverified_from is None else min(size, upload.unverified_from)

    def open(self, upload: Upload, *, verify: bool = False) -> UploadFile:
        """Open the file of an upload for appending; the caller closes it.

        Args:
            upload: Which.
            verify: What is appended does not count before `settle` or `complete`.

        Raises:
            ProblemError: The upload is gone, a job has taken it, or somebody else writes to it;
                status 404, 410 or 423.
        """
        if upload.job_id is not None:
            raise _taken()
        file = UploadFile(self._path(upload), free_bytes=self.limits.free_bytes)
        try:
            self._begin_writing(upload, file, verify=verify)
        except BaseException:
            file.close()
            raise
        return file

    def settle(self, upload: Upload) -> Upload:
        """Let everything count that is in the file, and give the upload as it is then.

        Its writer calls it at the end, after `sync`: what was written last is kept long enough,
        however long it took to arrive.
        """
        expires_at = self._clock() + self.limits.keep_s
        settled = replace(upload, unverified_from=None, expires_at=expires_at)
        table = schema.uploads
        with self._database.write() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == upload.id, table.c.job_id.is_(None))
                .values(length=settled.length, unverified_from=None, expires_at=expires_at)
            )
        return settled

    def complete(self, upload: Upload, *, length: int) -> Upload:
        """Do the same as `settle`, and let nothing more follow."""
        return self.settle(replace(upload, length=length))

    def remove(self, upload: Upload) -> None:
        """Remove an upload.

        Raises:
            ProblemError: It is gone, a job has taken it, or somebody writes to it; status 404, 410
                or 423.
        """
        file = self.open(upload)
        try:
            if not self._forget(upload.id, schema.uploads.c.job_id.is_(None)):
                raise _taken()
        finally:
            file.close()

    def claim(self, upload_id: str, owner: Owner, *, job_id: str) -> str:
        """Let a job take a finished upload, and give the id of the job that has it.

        That is another job if one has taken it before: the same submission, repeated; or its
        acceptance was cut off by a crash, and the job is to be added under that id now.

        Raises:
            ProblemError: There is no such upload, or it is not finished; status 404 or 409.
        """
        upload = self.get(upload_id, owner)
        if upload.unverified_from is not None or self.offset(upload) != upload.length:
            raise ProblemError(
                "upload-unfinished",
                f"{self.offset(upload)} of {upload.length} bytes are there; upload the rest first",
            )
        table = schema.uploads
        with self._database.write(durable=True) as connection:
            connection.execute(
                update(table)
                .where(table.c.id == upload_id, table.c.job_id.is_(None))
                .values(job_id=job_id, expires_at=self._clock() + _ACCEPTANCE_S)
            )
            holder = self._get(connection, upload_id, owner).job_id
        assert holder is not None
        return holder

    def expire(self, now_s: float) -> int:
        """Remove uploads whose time is over, or that of the job that took them; return how many."""
        table = schema.uploads
        due = and_(table.c.expires_at < now_s, ~_holder().exists())
        with self._database.read() as connection:
            found = connection.execute(select(table.c.id).where(due)).scalars().all()
        return sum(self._expire(upload_id, due) for upload_id in found)

    def discard(self, upload_id: str) -> bool:
        """Remove an upload whose job was just deleted; return whether it was still there."""
        taken = schema.uploads.c.job_id.is_not(None)
        return self._expire(upload_id, and_(taken, ~_holder().exists()))

    def drop(self, upload_id: str) -> None:
        """Remove an upload that came with a request, unless a job has it."""
        self._expire(upload_id, ~_holder().exists())

    def known(self, upload_ids: Collection[str]) -> set[str]:
        """Name those of the uploads that there are."""
        table = schema.uploads
        with self._database.read() as connection:
            rows = connection.execute(select(table.c.id).where(table.c.id.in_(upload_ids)))
            return set(rows.scalars())

    def _expire(self, upload_id: str, due: ColumnElement[bool]) -> bool:
        path = self._storage.upload(upload_id)
        if not path.exists():
            return self._forget(upload_id, due)
        try:
            file = UploadFile(path, free_bytes=0)
        except ProblemError:  # it is being written to, after all
            return False
        try:
            return self._forget(upload_id, due)
        finally:
            file.close()

    def _forget(self, upload_id: str, condition: ColumnElement[bool]) -> bool:
        """Remove row and file if that still holds; a job that takes it first keeps it."""
        table = schema.uploads
        with self._database.write() as connection:
            done = connection.execute(delete(table).where(table.c.id == upload_id, condition))
        if done.rowcount == 0:
            return False
        remove_or_log(self._storage.artifacts, self._storage.upload(upload_id))
        return True

    def _begin_writing(self, upload: Upload, file: UploadFile, *, verify: bool) -> None:
        """Look at the row again now that nobody else changes it, and drop what does not count."""
        table = schema.uploads
        with self._database.write() as connection:
            this = select(table).where(table.c.id == upload.id).with_for_update()
            row = connection.execute(this).first()
            if row is None:
                self._path(upload).unlink(missing_ok=True)  # opening has made it
                raise _unknown(upload.id)
            if row.job_id is not None:
                raise _taken()
            if row.unverified_from is not None:
                file.cut(row.unverified_from)
            connection.execute(
                update(table)
                .where(table.c.id == upload.id)
                .values(
                    unverified_from=file.size if verify else None,
                    expires_at=self._clock() + self.limits.keep_s,
                )
            )

    def _check_quota(self, connection: Connection, owner: Owner, length: int) -> None:
        table = schema.uploads
        count, total = connection.execute(
            select(func.count(), func.coalesce(func.sum(table.c.length), 0)).where(
                table.c.owner == owner.id, table.c.job_id.is_(None)
            )
        ).one()
        if count >= self.limits.open_uploads:
            raise _used_up(f"{count} uploads wait for a job; use or delete one")
        if total + length > owner.limits.upload_bytes:
            raise _used_up(
                f"your uploads that wait for a job have {total} bytes, "
                f"of {owner.limits.upload_bytes} that you may have; use or delete one"
            )

    def _get(self, connection: Connection, upload_id: str, owner: Owner) -> Upload:
        if not is_identifier(upload_id):
            raise _unknown(upload_id)
        table = schema.uploads
        row = connection.execute(select(table).where(table.c.id == upload_id)).first()
        if row is None or row.owner != owner.id:
            raise _unknown(upload_id)
        return _upload(row)

    def _row(self, upload: Upload) -> dict[str, Any]:
        return {
            "id": upload.id,
            "owner": upload.owner,
            "name": upload.name,
            "length": upload.length,
            "unverified_from": upload.unverified_from,
            "created_at": self._clock(),
            "expires_at": upload.expires_at,
        }

    def _path(self, upload: Upload) -> Path:
        return self._storage.upload(upload.id)


def display_name(name: str) -> str:
    r"""Give the last part of a file name that a client sent, without control characters.

    It is for people alone; no file is ever called so.

    >>> display_name("C:\\videos\\gate.mp4"), display_name("../../etc/passwd"), display_name("a\0b")
    ('gate.mp4', 'passwd', 'ab')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME]


def _holder() -> Select[tuple[str]]:
    """Select the job that took an upload, as long as it keeps its files."""
    jobs = schema.jobs
    return select(jobs.c.id).where(
        jobs.c.id == schema.uploads.c.job_id, jobs.c.state != JobState.EXPIRED.value
    )


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        owner=row.owner,
        name=row.name,
        length=row.length,
        unverified_from=row.unverified_from,
        job_id=row.job_id,
        expires_at=row.expires_at,
    )


def _unknown(upload_id: str) -> ProblemError:
    return ProblemError("unknown-upload", f"there is no upload {upload_id!r}")


def _used_up(detail: str) -> ProblemError:
    return ProblemError("quota-exceeded", detail, headers={"Retry-After": str(_QUOTA_WAIT_S)})


def _taken() -> ProblemError:
    return ProblemError("gone", "a job has taken this upload")
