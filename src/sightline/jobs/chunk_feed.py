"""Which chunks of a job are done, asked of its store again and again."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from sightline.jobs.feed import FeedEnd
from sightline.jobs.states import JobState, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.jobs.files import JobFiles
    from sightline.jobs.model import Task
    from sightline.jobs.store import JobStore

__all__ = ["StoreChunkFeed"]

_log = logging.getLogger(__name__)

_PAUSE_S = 0.05
_SHARE = 10
"""Asking takes at most this part of the time."""
_WINDOW = 50
"""So many chunks are asked for at a time: a long video has thousands."""
_CANCELED_S = 0.1


class StoreChunkFeed:
    """A `ChunkFeed` that looks at the rows of a job. Used by one thread.

    Args:
        store: Where the job is.
        job_id: The job; its ingest is done.
        files: Its files.
        when_idle: Called again and again while the next chunk is not done, with that chunk if it
            is known; may do a chunk, and says whether it has, or raise if none will be begun any
            more.
        obtain: Makes the result file of a chunk that is done be in its place; returns that.
    """

    def __init__(
        self,
        store: JobStore,
        job_id: str,
        *,
        files: JobFiles,
        when_idle: Callable[[Task | None], bool] = lambda _: False,
        obtain: Callable[[Path], Path] = lambda path: path,
    ) -> None:
        self._store = store
        self._job_id = job_id
        self._files = files
        self._when_idle = when_idle
        self._chunks: deque[Task] = deque()  # the next one, and what is known of those after it
        self._total: int | None = None
        self._given = 0
        self._obtain = obtain
        self._pause_s = _PAUSE_S
        self._canceled = False
        self._asked_s = 0.0

    def next(self, *, timeout_s: float) -> Path | FeedEnd | None:
        """Give the result file of the next chunk; see `ChunkFeed`.

        Raises:
            ArtifactError: Its result cannot be fetched.
        """
        until_s = time.monotonic() + timeout_s
        given = self._give()
        while given is None:
            self._refresh()
            given = self._give()
            has_worked = given is None and self._when_idle(
                self._chunks[0] if self._chunks else None
            )
            left_s = until_s - time.monotonic()
            if given is not None or left_s <= 0:
                break
            if not has_worked:
                time.sleep(min(self._pause_s, left_s))
        return given

    @property
    def canceled(self) -> bool:
        """Whether the job was canceled; asks the store at most ten times a second."""
        now_s = time.monotonic()
        if not self._canceled and now_s - self._asked_s > _CANCELED_S:
            self._asked_s = now_s
            state = self._store.get(self._job_id).state
            self._canceled = state in (JobState.CANCELING, JobState.CANCELED)
        return self._canceled

    def _give(self) -> Path | FeedEnd | None:
        """Give the next chunk by what is known; None: ask again."""
        if self._given == self._total:
            return FeedEnd.COMPLETE
        if not self._chunks:
            return None
        task = self._chunks[0]
        if task.state is TaskState.DONE and task.result is not None:
            path = self._obtain(self._files.chunk(task.number, task.result))
            self._chunks.popleft()
            self._given += 1
            return path
        return FeedEnd.CUT_SHORT if task.state in (TaskState.FAILED, TaskState.CANCELED) else None

    def _refresh(self) -> None:
        """Ask for the next chunks; if the store is away, what is known stays as it is."""
        started_s = time.monotonic()
        try:
            if self._total is None:
                self._total = self._store.get(self._job_id).progress.chunks_total
            found = self._store.chunks(self._job_id, first=self._given, limit=_WINDOW)
        except OSError as error:  # the lease ends if that goes on for long
            _log.warning("cannot look at chunks job=%s error=%s", self._job_id, error)
        else:
            self._chunks = deque(found)
        self._pause_s = max(_PAUSE_S, _SHARE * (time.monotonic() - started_s))
