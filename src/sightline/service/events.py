"""Watching jobs: one task asks the store for all that clients wait for, a few times a second.

Whoever waits has a `Watch`: it is woken when there is something newer, and then finds the newest
snapshot. Nothing is queued; who is slow misses snapshots between, never the last. A snapshot is
rendered once for all who wait for the job.

Everything here belongs to one event loop, but for `_Look`, which a thread does.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from sightline.jobs.states import JobState
from sightline.jobs.store import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

    from starlette.types import Receive

    from sightline.jobs.model import Job
    from sightline.jobs.store import JobStore

__all__ = ["Snapshot", "TooManyWatchesError", "Watch", "WatchLimits", "Watcher"]

_log = logging.getLogger(__name__)

_CHECK_S = 1.0


class TooManyWatchesError(Exception):
    """No more can wait.

    Attributes:
        is_own: It is the limit of the owner, not that of all.
    """

    def __init__(self, limit: int, *, is_own: bool) -> None:
        super().__init__(f"{limit} event streams and long polls are open already")
        self.is_own = is_own


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """How many may wait at a time, and how often they are told.

    Attributes:
        total: All together.
        per_owner: Of one owner.
        events_per_s: How many snapshots they get per second, all together, while the jobs only
            advance. What happens to a job is told at once.
    """

    total: int = 10_000
    per_owner: int = 1_000
    events_per_s: float = 100.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job as clients see it.

    Attributes:
        job: The job; None: it was deleted.
        queue_position: Queued jobs before it; None if it is not queued.
        body: The job object, JSON in one line.
    """

    job: Job | None
    queue_position: int | None = None
    body: bytes = b""

    @property
    def mark(self) -> tuple[int, int | None]:
        """Tell snapshots apart: version and place in the queue."""
        return (0 if self.job is None else self.job.version, self.queue_position)


class _Topic:
    """A job that is waited for."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.watches: set[Watch] = set()
        self._told_s = -math.inf
        self._is_untold = False

    def take(self, snapshot: Snapshot) -> None:
        """Take a newer snapshot; tell of it at once if more has happened than progress."""
        before, self.snapshot = self.snapshot, snapshot
        self._is_untold = True
        if before is None or _place(before) != _place(snapshot):
            self._told_s = -math.inf

    def tell(self, now_s: float, pause_s: float) -> None:
        """Wake all, if there is something to tell and they have had their pause."""
        if self._is_untold and now_s >= self._told_s + pause_s:
            self._told_s = now_s
            self.wake()

    def wake(self) -> None:
        """Wake all."""
        self._is_untold = False
        for watch in self.watches:
            watch.wake.set()


class Watch:
    """One who waits for one job. Made by `Watcher.watch`; `attended` closes it.

    Attributes:
        job_id: The job.
        owner: Who waits.
        wake: Set when there may be something newer, or it is over.
        is_expelled: Whoever waits may not know of the job any more.
    """

    def __init__(self, watcher: Watcher, job_id: str, owner: str) -> None:
        self.job_id = job_id
        self.owner = owner
        self.wake = asyncio.Event()
        self.is_expelled = False
        self._watcher = watcher
        self._is_gone = False

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest; None before the first."""
        return self._watcher.newest(self.job_id)

    @property
    def is_over(self) -> bool:
        """The client is gone or expelled, or the service ends."""
        return self._is_gone or self.is_expelled or self._watcher.is_closing

    def expel(self) -> None:
        """Tell nothing more."""
        self.is_expelled = True
        self.wake.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up; False if there was none in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.wake.wait()
        except TimeoutError:
            return False
        self.wake.clear()
        return True

    @asynccontextmanager
    async def attended(self, receive: Receive) -> AsyncIterator[None]:
        """Notice when the client leaves, and wait no longer at the end of the block.

        Args:
            receive: Of the request, whose body was read.
        """
        listener = asyncio.create_task(self._listen(receive))
        try:
            yield
        finally:
            listener.cancel()
            self._watcher.leave(self)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self.wake.set()


class Watcher:
    """Wakes those who wait for jobs.

    Args:
        store: Where to look.
        render: Makes the body of a snapshot; called by a thread.
        limits: How many may wait.
        still_known: Tells which owners may still know of their jobs; asked once a second.
        interval_s: How often to look.
    """

    def __init__(
        self,
        store: JobStore,
        render: Callable[[Job, int | None], bytes],
        *,
        limits: WatchLimits | None = None,
        still_known: Callable[[Collection[str]], Awaitable[set[str]]],
        interval_s: float = 0.2,
    ) -> None:
        self.is_closing = False
        self._store = store
        self._render = render
        self._limits = limits or WatchLimits()
        self._still_known = still_known
        self._next_check_s = 0.0
        self._interval_s = interval_s
        self._topics: dict[str, _Topic] = {}
        self._owners: Counter[str] = Counter()
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        return self._owners.total()

    def watch(self, job_id: str, owner: str) -> Watch:
        """Begin to wait for a job.

        Raises:
            TooManyWatchesError: No more can.
        """
        if len(self) >= self._limits.total:
            raise TooManyWatchesError(self._limits.total, is_own=False)
        if self._owners[owner] >= self._limits.per_owner:
            raise TooManyWatchesError(self._limits.per_owner, is_own=True)
        watch = Watch(self, job_id, owner)
        topic = self._topics.setdefault(job_id, _Topic())
        topic.watches.add(watch)
        self._owners[owner] += 1
        if topic.snapshot is not None or self.is_closing:
            watch.wake.set()
        self._wanted.set()
        return watch

    def leave(self, watch: Watch) -> None:
        """Forget one who waits; does nothing if that happened before."""
        topic = self._topics.get(watch.job_id)
        if topic is None or watch not in topic.watches:
            return
        topic.watches.remove(watch)
        if not topic.watches:
            del self._topics[watch.job_id]
        self._owners[watch.owner] -= 1
        if not self._owners[watch.owner]:
            del self._owners[watch.owner]

    def newest(self, job_id: str) -> Snapshot | None:
        """Give the newest snapshot of a job that is waited for; None before the first."""
        topic = self._topics.get(job_id)
        return None if topic is None else topic.snapshot

    def close(self) -> None:
        """Wake all, so that they see that the service ends."""
        self.is_closing = True
        self._wanted.set()
        for topic in self._topics.values():
            topic.wake()

    async def run(self) -> None:
        """Look until it is closed."""
        while not self.is_closing:
            if not self._topics:
                self._wanted.clear()
                await self._wanted.wait()
            await self._look()
            await self._expel()
            await asyncio.sleep(self._interval_s)

    async def _look(self) -> None:
        known = {job_id: topic.snapshot for job_id, topic in self._topics.items()}
        try:
            news = await run_in_threadpool(self._ask, known)
        except Exception:  # noqa: BLE001 - boundary of the task: it goes on when the store cannot
            _log.exception("watching jobs failed jobs=%d", len(known))
            return
        for job_id, snapshot in news.items():
            topic = self._topics.get(job_id)
            if topic is not None:
                topic.take(snapshot)
        now_s, pause_s = time.monotonic(), len(self) / self._limits.events_per_s
        for topic in self._topics.values():
            topic.tell(now_s, pause_s)

    async def _expel(self) -> None:
        """Let nobody wait on whose key was revoked meanwhile."""
        now_s = time.monotonic()
        if now_s < self._next_check_s:
            return
        self._next_check_s = now_s + _CHECK_S
        try:
            known = await self._still_known(list(self._owners))
        except Exception:  # noqa: BLE001 - as above; who has no key any more waits a little longer
            _log.exception("keys of those who watch jobs could not be looked up")
            return
        for topic in self._topics.values():
            for watch in topic.watches:
                if watch.owner not in known:
                    watch.expel()

    def _ask(self, known: Mapping[str, Snapshot | None]) -> dict[str, Snapshot]:
        """Find what is new; runs in a thread."""
        versions = self._store.versions(known)
        positions = self._store.queue_positions(
            [job_id for job_id, snapshot in known.items() if _may_be_queued(snapshot)]
        )
        news = {}
        for job_id, old in known.items():
            if job_id not in versions:
                if old is None or old.job is not None:
                    news[job_id] = Snapshot(None)
                continue
            position = positions.get(job_id)
            if old is None or old.mark != (versions[job_id], position):
                news[job_id] = self._snapshot(job_id, position)
        return news

    def _snapshot(self, job_id: str, position: int | None) -> Snapshot:
        try:
            job = self._store.get(job_id)
        except UnknownJobError:
            return Snapshot(None)
        if job.state is not JobState.QUEUED:
            position = None
        return Snapshot(job, position, self._render(job, position))


def _may_be_queued(snapshot: Snapshot | None) -> bool:
    return snapshot is None or (snapshot.job is not None and snapshot.job.state is JobState.QUEUED)


def _place(snapshot: Snapshot) -> tuple[object, ...]:
    """Tell where a job stands, apart from how far it is in that."""
    job = snapshot.job
    return (None,) if job is None else (job.state, job.progress.step)
