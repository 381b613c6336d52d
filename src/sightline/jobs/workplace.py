"""What workers work with: the store, the files, and what is expensive to make and kept.

It knows the parts that do the work only by what they need.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sightline.fetch.download import DownloadLimits
from sightline.fetch.policy import AddressPolicy
from sightline.jobs.chunk_work import PipelineCache
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.files import Storage
from sightline.jobs.ingest import IngestOptions
from sightline.jobs.limits import MediaLimits
from sightline.jobs.prober import Prober
from sightline.jobs.remote_artifacts import DEFAULT_CACHE_BYTES, open_artifacts
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.store import LeasePolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from sightline.jobs.store import JobStore

__all__ = ["WorkOptions", "Workplace", "open_workplace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """How tasks are done; the same for all workers of a service.

    Attributes:
        policy: How long leases last, and how often a task is tried.
        limits: Which videos are taken.
        addresses: From where videos are fetched.
        downloads: When fetching is given up.
        sizes: How large chunks are to be.
        artifacts_url: Where the files of jobs are kept for all machines; None: in the data folder.
        cache_bytes: Room on each machine for copies of them.
        patience_s: How long a task asks a remote store again that is away, before it fails.
    """

    policy: LeasePolicy = field(default_factory=LeasePolicy)
    limits: MediaLimits = field(default_factory=MediaLimits)
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    downloads: DownloadLimits = field(default_factory=DownloadLimits)
    sizes: ChunkSizes = field(default_factory=ChunkSizes)
    artifacts_url: str | None = field(default=None, repr=False)
    cache_bytes: int = DEFAULT_CACHE_BYTES
    patience_s: float = 60.0


class Workplace:
    """One worker's; what is expensive is made when it is first needed.

    Args:
        store: Where tasks are claimed and reported; closed with the workplace.
        storage: The files of the jobs.
        options: How tasks are done.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        *,
        options: WorkOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.storage = storage
        self.policy = options.policy
        self.limits = options.limits
        self.clock = clock
        self._options = options

    @cached_property
    def pipelines(self) -> PipelineCache:
        """Open pipelines."""
        return PipelineCache()

    @cached_property
    def ingest(self) -> IngestOptions:
        """How videos are taken in; it has a process ready to look at one."""
        return IngestOptions(
            storage=self.storage,
            prober=Prober(),
            policy=self._options.addresses,
            limits=self._options.limits,
            downloads=self._options.downloads,
            sizes=self._options.sizes,
        )

    def close(self) -> None:
        """Release everything."""
        made = vars(self)
        if "pipelines" in made:
            self.pipelines.close()
        if "ingest" in made:
            self.ingest.prober.close()
        self.storage.artifacts.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_workplace(url: str, root: Path, *, options: WorkOptions) -> Workplace:
    """Make a workplace of one's own on the database and the data folder of a service.

    Args:
        url: Of the database; its tables are up to date.
        root: The data folder.
        options: How tasks are done.

    Raises:
        ArtifactError: The URL of the artifacts makes no sense.
        MissingExtraError: They need an extra that is not installed.
    """
    artifacts = open_artifacts(
        options.artifacts_url,
        root,
        cache_bytes=options.cache_bytes,
        patience_s=options.patience_s,
    )
    database = Database(url)
    return Workplace(
        SqlJobStore(database), Storage(root, artifacts), options=options, clock=database.clock
    )
