"""Where the jobs of a benchmark are done: workers of a service of one's own, of either kind.

Database, files, workers and messages are real; HTTP is left out, since it adds some milliseconds
to a job.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sightline.bench.worker_processes import WorkerPlace, running_workers
from sightline.errors import SightlineError
from sightline.jobs.crew_size import CrewSize
from sightline.jobs.executor import WorkerState
from sightline.jobs.files import Storage
from sightline.jobs.local_executor import LocalExecutor
from sightline.jobs.local_options import LocalOptions
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import TaskKind
from sightline.jobs.workplace import WorkOptions, open_workplace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sightline.jobs.executor import Executor
    from sightline.jobs.model import Job
    from sightline.jobs.store import JobStore

__all__ = ["CelerySite", "JobSite", "LocalSite", "OpenSite", "wait_for_end"]

_POLL_S = 0.05
_READY_TIMEOUT_S = 120.0
_JOB_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSite:
    """Workers that wait for work.

    Attributes:
        store: Where their jobs are.
        storage: The files of the jobs.
        executor: Is told of new tasks.
        processes: Those of `sightline worker`, in the order of the command lines; none otherwise.
    """

    store: JobStore
    storage: Storage
    executor: Executor
    processes: Sequence[int] = ()


class JobSite(Protocol):
    """Knows how to run a service's workers."""

    def open(self, workers: int) -> AbstractContextManager[OpenSite]:
        """Run so many workers that do chunks, on a folder of their own, until the block is left.

        Raises:
            SightlineError: They cannot be started.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSite:
    """Workers as they are inside `sightline serve`: those that do chunks do nothing else.

    Attributes:
        warm: Definition of the pipeline that they load before they are ready; None: none.
    """

    warm: Mapping[str, Any] | None = None

    @contextmanager
    def open(self, workers: int) -> Iterator[OpenSite]:
        """Run them; see `JobSite`."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            url = f"sqlite:///{root / 'jobs.sqlite'}"
            _migrate(url)
            options = LocalOptions(
                open_workplace=partial(open_workplace, url, root, options=WorkOptions()),
                detect=CrewSize(least=workers, most=workers),
                warm=self.warm,
                name=f"bench-{os.getpid()}",
            )
            store = SqlJobStore(Database(url))
            executor = LocalExecutor(store, options)
            executor.start()
            try:
                _wait_until_ready(executor, workers)
                yield OpenSite(store=store, storage=Storage(root), executor=executor)
            finally:
                executor.close(drain_s=0)
                store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class CelerySite:
    """Workers that `sightline worker` starts, of one process with one thread each.

    Attributes:
        broker: URL of the broker.
        database: URL of a database; None: SQLite in the folder.
        options: What the command line of each worker says besides.
        others: The command lines of workers that are there besides.
    """

    broker: str
    database: str | None = None
    options: tuple[str, ...] = ("--concurrency", "1", "--threads", "1")
    others: tuple[tuple[str, ...], ...] = field(default=())

    @contextmanager
    def open(self, workers: int) -> Iterator[OpenSite]:
        """Run them; see `JobSite`."""
        from sightline.broker.application import make_celery
        from sightline.broker.executor import CeleryExecutor
        from sightline.broker.options import BrokerOptions
        from sightline.broker.wakeups import WakeUps
        from sightline.jobs.worker_board import WorkerBoard

        with ExitStack() as stack:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = self.database or f"sqlite:///{root / 'jobs.sqlite'}"
            _migrate(url)
            place = WorkerPlace(broker=self.broker, database=url, folder=root)
            lines = [self.options] * workers + [*self.others]
            processes = stack.enter_context(running_workers(place, lines))
            database = stack.enter_context(Database(url))
            store = SqlJobStore(database)
            application = make_celery(BrokerOptions(url=self.broker))
            executor = CeleryExecutor(WakeUps(application, store), WorkerBoard(database))
            executor.start()
            stack.callback(executor.close)
            storage = Storage(root)
            yield OpenSite(store=store, storage=storage, executor=executor, processes=processes)


def wait_for_end(store: JobStore, job_id: str) -> Job:
    """Wait until a job has ended; return it.

    Raises:
        SightlineError: It takes more than an hour.
    """
    deadline_s = time.monotonic() + _JOB_TIMEOUT_S
    while time.monotonic() < deadline_s:
        job = store.get(job_id)
        if job.state.terminal:
            return job
        time.sleep(_POLL_S)
    raise SightlineError(f"a job of the benchmark has not ended after {_JOB_TIMEOUT_S:g} s")


def _migrate(url: str) -> None:
    with Database(url) as database:
        database.migrate()


def _wait_until_ready(executor: LocalExecutor, workers: int) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        idle = [w.kinds for w in executor.workers() if w.state is WorkerState.IDLE]
        kinds = {kind for does in idle for kind in does}
        if idle.count((TaskKind.CHUNK,)) == workers and kinds == {*TaskKind}:
            return
        time.sleep(_POLL_S)
    raise SightlineError(f"the workers are not ready after {_READY_TIMEOUT_S:g} s")
