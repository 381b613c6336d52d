"""What the routes work with: made once by the server, and found through the application."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sightline.jobs.shelf import Shelves
from sightline.jobs.states import TaskKind
from sightline.jobs.store import LeasePolicy
from sightline.service.events import WatchLimits
from sightline.service.gate import GateSettings
from sightline.service.poll_pace import PollPace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.jobs.executor import Executor
    from sightline.jobs.files import Storage
    from sightline.jobs.pipelines import Offers
    from sightline.jobs.sql.database import Database
    from sightline.jobs.store import JobStore
    from sightline.service.access import Access
    from sightline.service.uploads import Uploads

__all__ = ["Services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes work with.

    Attributes:
        store: The jobs.
        storage: Their files.
        database: Keys, uploads, deliveries and the audit log, beside the jobs.
        offers: The pipelines that clients may choose.
        access: Finds out who makes a request, and how much is allowed.
        gate: What requests pass before anything else.
        watches: How many may wait for jobs at a time.
        polls: How often all clients together may ask for jobs.
        uploads: Videos that clients brought along.
        free_bytes: Room that the disk of the data folder must have for a job to be accepted.
        policy: When work is given up.
        shelves: Finds the files of jobs for those who ask for them.
        executor: Does the jobs' tasks; None: others do, who look into the store by themselves.
        runs: Folder of the real-time graphs that run; None: look for none.
        clock: Seconds since 1970.
    """

    store: JobStore
    storage: Storage
    database: Database
    offers: Offers
    access: Access
    uploads: Uploads
    gate: GateSettings = field(default_factory=GateSettings)
    watches: WatchLimits = field(default_factory=WatchLimits)
    polls: PollPace = field(default_factory=lambda: PollPace(per_second=20.0))
    free_bytes: int = 1024**3
    policy: LeasePolicy = field(default_factory=LeasePolicy)
    shelves: Shelves = field(default_factory=Shelves)
    executor: Executor | None = None
    runs: Path | None = None
    clock: Callable[[], float] = time.time

    def wake(self) -> None:
        """Tell the workers that there may be something to do."""
        if self.executor is not None:
            self.executor.wake(TaskKind)
