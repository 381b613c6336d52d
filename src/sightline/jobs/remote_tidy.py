"""Removes from a remote store what nobody needs: what a worker left that died, or a store kept.

Listing a store takes requests, and most jobs leave nothing: it is done rarely, in a thread of its
own, and looks into those jobs only that had not ended long before the last round. When that was, a
file says, so that nothing stays for good where rounds were left out.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import UnknownJobError
from sightline.jobs.transfers import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Self

    from sightline.jobs.artifacts import Artifact
    from sightline.jobs.files import Storage
    from sightline.jobs.model import Job
    from sightline.jobs.store import JobStore

__all__ = ["RemoteTidier"]

_log = logging.getLogger(__name__)

_EVERY_S = 3600.0
_LATELY_S = 86400.0
"""Of a job that had ended so long before a round began, it has seen everything."""
_YOUNG_S = 900.0
"""What was put so lately may belong to an attempt that is just being made."""
_MANY = 500


class RemoteTidier:
    """Tidies a remote store up; with a data folder that all machines share, it does nothing.

    Args:
        store: The jobs.
        storage: Their files.
        known_uploads: Names those of some uploads that there are.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        *,
        known_uploads: Callable[[Collection[str]], set[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._storage = storage
        self._known_uploads = known_uploads
        self._clock = clock
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote tidier", daemon=True)

    def __enter__(self) -> Self:
        if self._storage.artifacts.is_remote:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def tidy(self, now_s: float) -> None:
        """Do a round.

        Raises:
            ArtifactError: The store cannot be used; the rest is left for the next round.
        """
        since_s = min(self._last_round_s(), now_s) - _LATELY_S
        for job_id in self._storage.artifacts.folders(self._storage.root / "jobs"):
            if self._closed.is_set():
                return
            self._tidy_job(job_id, now_s, since_s=since_s)
        self._tidy_uploads(now_s)
        self._storage.tidied.write_text(f"{now_s}\n")

    def _last_round_s(self) -> float:
        """Tell when the last round began that came to its end; if nobody knows, long ago."""
        try:
            return float(self._storage.tidied.read_text())
        except (FileNotFoundError, ValueError):  # the latter of a file that a crash has cut short
            return float("-inf")

    def _run(self) -> None:
        while True:
            try:
                self.tidy(self._clock())
            except ArtifactError as error:
                _log.warning("cannot tidy up: %s", error)
            except Exception:  # noqa: BLE001 - thread boundary: tried again at the next round
                _log.exception("cannot tidy up")
            if self._closed.wait(_EVERY_S):
                return

    def _tidy_job(self, job_id: str, now_s: float, *, since_s: float) -> None:
        try:
            files = self._storage.job(job_id)
        except UnknownJobError:
            _log.warning("no folder of a job: %s/jobs/%s", self._storage.artifacts.where, job_id)
            return
        job = self._job(job_id)
        artifacts = self._storage.artifacts
        if job is None or job.state is JobState.EXPIRED:
            if _is_old(artifacts.find(files.folder), now_s):
                artifacts.remove(files.folder)
        elif job.state.terminal and (job.finished_at or 0.0) > since_s:
            kept = artifacts.find(files.folder)
            for path in leftovers(files, kept, job.state, self._token(job_id)):
                if _is_old((file for file in kept if file.path.is_relative_to(path)), now_s):
                    artifacts.remove(path)

    def _tidy_uploads(self, now_s: float) -> None:
        kept = self._storage.artifacts.find(self._storage.root / "uploads")
        for start in range(0, len(kept), _MANY):
            some = kept[start : start + _MANY]
            known = self._known_uploads([file.path.name for file in some])
            for file in some:
                if file.path.name not in known and _is_old([file], now_s):
                    self._storage.artifacts.remove(file.path)

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._store.get(job_id)
        except UnknownJobError:
            return None

    def _token(self, job_id: str) -> str | None:
        tasks = self._store.tasks(job_id)
        return next((task.result for task in tasks if task.kind is TaskKind.FINAL), None)


def _is_old(kept: Iterable[Artifact], now_s: float) -> bool:
    return all(now_s - (file.modified_s or 0.0) > _YOUNG_S for file in kept)
