"""Where the files of jobs lie: one folder per job, and the names in it.

    jobs/JOB/source                  the video, as it was fetched or uploaded
    jobs/JOB/chunks/0000.TOKEN       the result of chunk 0 by the lease TOKEN
    jobs/JOB/final.TOKEN/            what the final pass by the lease TOKEN is writing
    jobs/JOB/results/                the final pass that counts, complete
    jobs/JOB/thumbnail.jpg           a picture of the video
    uploads/UPLOAD                   a video that is being uploaded

Where there is a remote store (see `artifacts`), the folder is this machine's own, and the store has
the same files under the same names, but for the results:

    jobs/JOB/results.TOKEN/          a final pass by the lease TOKEN, complete with its summary
    jobs/JOB/growing.sqlite          the index of the final pass that runs, as it was lately
    uploads/UPLOAD                   the video of a job that took this upload; it has no `source`

and the folder of the interface has

    tidied                           when the store was last looked through, in seconds since 1970

Names are made of the service's own identifiers alone; nothing of a client's goes into a path.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass field

from sightline.jobs.artifacts import Artifacts, FolderArtifacts, remove_or_log
from sightline.jobs.store import UnknownJobError

__all__ = ["RESULTS_INDEX", "SUMMARY", "JobFiles", "Storage", "is_identifier"]

_IDENTIFIER = re.compile(r"[0-9a-z][0-9a-z-]{0,63}")

RESULTS_INDEX = "results.sqlite"
"""Name of the index of the results in the folder of a final pass; see `jobs.results`."""
SUMMARY = "summary.json"
"""Name of the file that every final pass writes; put last, it says that the others are there."""


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The paths of one job; making the value touches no disk.

    Attributes:
        folder: Everything that belongs to the job.
    """

    folder: Path

    @property
    def source(self) -> Path:
        """The video."""
        return self.folder / "source"

    @property
    def thumbnail(self) -> Path:
        """A picture of the video, JPEG."""
        return self.folder / "thumbnail.jpg"

    @property
    def results(self) -> Path:
        """The folder of the results that count."""
        return self.folder / "results"

    def chunk(self, number: int, token: str) -> Path:
        """The result of a chunk by one lease."""
        return self.folder / "chunks" / f"{number:04d}.{_checked(token)}"

    def final(self, token: str) -> Path:
        """The folder in which one lease writes the results."""
        return self.folder / f"final.{_checked(token)}"

    def shared_results(self, token: str) -> Path:
        """The folder of the results of one lease in a remote store."""
        return self.folder / f"results.{_checked(token)}"

    @property
    def growing(self) -> Path:
        """The index of the final pass that runs in a remote store."""
        return self.folder / "growing.sqlite"

    def remove(self) -> None:
        """Remove everything from this machine; does nothing if there is nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Storage:
    """The data folder of a service.

    Attributes:
        root: The folder; it and its parts are made when needed.
        artifacts: How other machines find its files.
    """

    root: Path
    artifacts: Artifacts = field(default_factory=FolderArtifacts)

    def job(self, job_id: str) -> JobFiles:
        """Give the files of a job.

        Raises:
            UnknownJobError: No job can have such an id.
        """
        if not is_identifier(job_id):
            raise UnknownJobError(f"no job {job_id!r}")
        return JobFiles(self.root / "jobs" / job_id)

    def upload(self, upload_id: str) -> Path:
        """Give the file of an upload."""
        return self.root / "uploads" / _checked(upload_id)

    @property
    def tidied(self) -> Path:
        """The note of when the remote store was last looked through for what nobody needs."""
        return self.root / "tidied"

    def remove_job(self, job_id: str) -> None:
        """Remove everything of a job, from this machine and the store.

        What a store that is away keeps, is tidied up later.
        """
        remove_or_log(self.artifacts, self.job(job_id).folder)


def is_identifier(text: str) -> bool:
    r"""Tell whether a job or an upload may have this as its id.

    >>> is_identifier("018f2a7c-55e1"), is_identifier("../jobs.sqlite"), is_identifier("\0")
    (True, False, False)
    """
    return _IDENTIFIER.fullmatch(text) is not None


def _checked(identifier: str) -> str:
    if not is_identifier(identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    return identifier
