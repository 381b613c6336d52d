"""From a request to a job: the pipeline's definition, the name of the source, the room left."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
import uuid_utils
from sqlalchemy import select

from sightline.jobs.model import Job, JobSpec
from sightline.jobs.pipelines import ParameterError
from sightline.jobs.sql.schema import idempotency
from sightline.jobs.states import Priority
from sightline.jobs.store import IdempotencyKey
from sightline.service.problems import Fault, ProblemError

if TYPE_CHECKING:
    from sightline.jobs.pipelines import Defined, Offers
    from sightline.service.requests import JobOptions
    from sightline.service.services import Services

__all__ = [
    "EarlierSubmission",
    "SourceOfJob",
    "check_room",
    "find_earlier",
    "idempotency_of",
    "make_job",
]

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOfJob:
    """Where the video of a job comes from.

    Attributes:
        url: Its address; None if it was uploaded.
        upload: Id of its upload; None if it is to be fetched.
        name: Name of the uploaded file; None where it has none.
    """

    url: str | None = None
    upload: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSubmission:
    """What an owner has submitted under an idempotency key before.

    Attributes:
        digest: Of the request.
        job_id: The job that it made.
    """

    digest: str
    job_id: str


def make_job(
    offers: Offers, options: JobOptions, source: SourceOfJob, *, owner_id: str, now_s: float
) -> Job:
    """Make a job that the store can accept.

    Raises:
        ProblemError: There is no such pipeline, or the parameters do not fit it.
    """
    defined = _define(offers, options)
    return Job(
        id=str(uuid_utils.uuid7()),
        owner=owner_id,
        created_at=now_s,
        spec=JobSpec(
            source_name=options.source_name or _name_of(source),
            source_url=source.url,
            upload=source.upload,
            pipeline=options.pipeline,
            params=defined.params,
            definition=defined.definition,
            tracked=defined.tracked,
            outputs=tuple(dict.fromkeys(options.outputs)),
            start_s=options.start_s,
            end_s=options.end_s,
            max_failures=options.max_failures,
            labels=options.labels,
            webhook_url=options.webhook_url,
            priority=Priority(options.priority),
        ),
    )


def idempotency_of(key: str | None, options: JobOptions, *content: str) -> IdempotencyKey | None:
    """Name a request, so that it can be told from another one under the same key.

    Args:
        key: As the client chose it; None: it chose none.
        options: What it asks for.
        content: What else tells requests apart, such as the digest of a file.
    """
    if key is None:
        return None
    asked = msgspec.json.encode([options.model_dump(), *content], order="sorted")
    return IdempotencyKey(key=key, digest=hashlib.sha256(asked).hexdigest())


def find_earlier(services: Services, owner_id: str, key: str | None) -> EarlierSubmission | None:
    """Look for what an owner has submitted under an idempotency key; blocks on the database."""
    if key is None:
        return None
    query = select(idempotency.c.digest, idempotency.c.job_id).where(
        idempotency.c.owner == owner_id, idempotency.c.key == key
    )
    with services.database.read() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else EarlierSubmission(digest=row.digest, job_id=row.job_id)


def check_room(services: Services) -> None:
    """Check that the disk has room for another job.

    Raises:
        ProblemError: It has not; status 507.
    """
    root = services.storage.root
    root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(root).free < services.free_bytes:
        raise ProblemError("storage-full", "the disk of the service is nearly full; try later")


def _define(offers: Offers, options: JobOptions) -> Defined:
    offer = offers.get(options.pipeline)
    if offer is None:
        names = ", ".join(offer.name for offer in offers)
        detail = f"there is no pipeline {options.pipeline!r}; choose {names}"
        fault = Fault(pointer="/pipeline", detail=detail)
        raise ProblemError("invalid-request", detail, faults=[fault])
    try:
        return offer.define(options.given_params, options.outputs)
    except ParameterError as error:
        base = "" if options.shorthands else "/params"
        faults = [
            Fault(pointer=f"{base}{fault.pointer}", detail=fault.detail) for fault in error.faults
        ]
        raise ProblemError("invalid-request", str(error), faults=faults) from error


def _name_of(source: SourceOfJob) -> str:
    """Name a video after its file, or after its host.

    >>> _name_of(SourceOfJob(url="https://ann:x@example.org/a/gate%201.mp4?token=1"))
    'gate 1.mp4'
    >>> _name_of(SourceOfJob(url="https://example.org/"))
    'example.org'
    """
    if source.url is None:
        name = source.name or "upload"
    else:
        parts = urlsplit(source.url)
        name = PurePosixPath(unquote(parts.path)).name or parts.hostname or "video"
    printable = "".join(character for character in name if character.isprintable())
    return printable[:_LONGEST_NAME] or "video"
