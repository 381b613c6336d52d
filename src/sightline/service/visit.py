"""What routes ask for: the services, who makes the request, and jobs that this one may see."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import Request

from sightline.jobs.files import is_identifier
from sightline.jobs.model import Job
from sightline.jobs.shelf import Shelf
from sightline.jobs.states import JobState
from sightline.jobs.store import UnknownJobError
from sightline.service.audit import Action, AuditEntry
from sightline.service.auth import client_address, measures, reads, writes
from sightline.service.events import TooManyWatchesError, Watch, Watcher
from sightline.service.known_jobs import KnownJobs, Look
from sightline.service.owner import Owner
from sightline.service.presentation import ask_again_s
from sightline.service.problems import ProblemError
from sightline.service.services import Services

__all__ = ["JobId", "Measuring", "Reading", "Visit", "Writing"]

_RETRY_LATER = {"retry-after": "10"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request by somebody who may make it.

    Attributes:
        request: The request.
        owner: Who makes it.
        services: What there is to work with.
    """

    request: Request
    owner: Owner
    services: Services

    def job(self, job_id: str) -> Job:
        """Give a job that the owner may see; blocks on the database.

        Raises:
            UnknownJobError: There is none; a job of somebody else does not exist either.
        """
        if not is_identifier(job_id):
            raise UnknownJobError(job_id)
        job = self.services.store.get(job_id)
        if not self.owner.sees(job.owner):
            raise UnknownJobError(job_id)
        return job

    async def look(self, job_id: str) -> Look:
        """Look at a job that the owner may see.

        Raises:
            UnknownJobError: There is none; a job of somebody else does not exist either.
        """
        known: KnownJobs = self.request.app.state.known_jobs
        found = await known.look(job_id)
        if not self.owner.sees(found.job.owner):
            raise UnknownJobError(job_id)
        return found

    def shelf(self, job: Job) -> AbstractContextManager[Shelf]:
        """Open the files of a job; blocks."""
        services = self.services
        return services.shelves.open(services.storage, services.store, job)

    def places(self, jobs: Sequence[Job]) -> dict[str, int]:
        """Tell of the queued ones among jobs how many are before each; blocks."""
        queued = [job.id for job in jobs if job.state is JobState.QUEUED]
        return self.services.store.queue_positions(queued) if queued else {}

    def ask_again_s(self, job: Job, place: int | None) -> int:
        """Tell in how many seconds to ask for a job again; later if many do.

        Args:
            job: One that is not at its end.
            place: Queued jobs before it; None if it is not queued.
        """
        services = self.services
        wanted_s = ask_again_s(job, queue_position=place, now_s=services.clock())
        return services.polls.ask_again_s(wanted_s, now_s=time.monotonic())

    def watch(self, job_id: str) -> Watch:
        """Begin to wait for a job.

        Raises:
            ProblemError: Too many wait already; status 429 or 503.
        """
        watcher: Watcher = self.request.app.state.watcher
        try:
            return watcher.watch(job_id, self.owner.id)
        except TooManyWatchesError as error:
            code = "too-many-streams" if error.is_own else "overloaded"
            raise ProblemError(code, str(error), headers=_RETRY_LATER) from error

    def admit(self) -> dict[str, str]:
        """Count a submission, and give headers that tell how many more there may be; blocks.

        Raises:
            ProblemError: There is no room for it.
        """
        return self.services.access.quota.admit(
            self.owner, address=client_address(self.request), now_s=self.services.clock()
        )

    def record(self, action: Action, job_id: str) -> None:
        """Note in the audit log what was done to a job; blocks on the database."""
        self.services.access.audit.record(
            AuditEntry(at=self.services.clock(), owner=self.owner.id, action=action, object=job_id)
        )


# Asynchronous, though they wait for nothing: others are sent through the thread pool.
async def _reading(request: Request) -> Visit:
    return Visit(request=request, owner=reads(request), services=request.app.state.services)


async def _writing(request: Request) -> Visit:
    return Visit(request=request, owner=writes(request), services=request.app.state.services)


async def _measuring(request: Request) -> Visit:
    return Visit(request=request, owner=measures(request), services=request.app.state.services)


Reading = Annotated[Visit, Depends(_reading)]
Writing = Annotated[Visit, Depends(_writing)]
Measuring = Annotated[Visit, Depends(_measuring)]
JobId = Annotated[str, Path(description="Id of the job.")]
