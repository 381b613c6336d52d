"""What must be done from time to time: leases that ended, jobs that expired, files left behind.

It decides nothing about jobs: the store does, and the files follow.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sightline.jobs.states import JobState
from sightline.jobs.store import LeasePolicy, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from sightline.jobs.files import JobFiles, Storage
    from sightline.jobs.store import JobStore

__all__ = ["Housekeeper"]

_log = logging.getLogger(__name__)

_SWEEP_S = 2.0
_TIDY_S = 600.0
_YOUNG_S = 900.0
"""What changed so lately may belong to a job that is just being accepted, or tried again."""


class Housekeeper:
    """Keeps the store and the files of a service in order, in a thread of its own.

    Args:
        store: The jobs.
        storage: Their files.
        policy: When work is given up.
        chores: What else is to be done at every sweep; called with the time.
        clock: Seconds since 1970, as in the rows of the store.
    """

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        *,
        policy: LeasePolicy | None = None,
        chores: Sequence[Callable[[float], object]] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._storage = storage
        self._policy = policy or LeasePolicy()
        self._chores = (self.sweep, *chores)
        self._clock = clock
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; does nothing if it is closed."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sweep(self, now_s: float) -> None:
        """Requeue what dead workers left, and remove the files of jobs that expire now."""
        swept = self._store.sweep(policy=self._policy, now_s=now_s)
        if swept.requeued or swept.failed:
            _log.warning("leases ended requeued=%d failed=%d", swept.requeued, swept.failed)
        for job_id in swept.expired:
            self._storage.remove_job(job_id)

    def tidy(self, now_s: float) -> None:
        """Remove files that nobody will ask for again, whoever was killed before removing them.

        Args:
            now_s: By the clock of this machine, which has dated the files.
        """
        for job_id, files in self._folders():
            try:
                state = self._store.get(job_id).state
            except UnknownJobError:
                state = JobState.EXPIRED
            with suppress(FileNotFoundError):  # somebody removes the folder while it is listed
                for path in _leftovers(files, state):
                    if _is_old(path, now_s):
                        _remove(path)

    def _run(self) -> None:
        tidied_s = float("-inf")
        while True:
            for chore in self._chores:
                self._do(chore, self._clock)
            if time.monotonic() - tidied_s > _TIDY_S:
                self._do(self.tidy, time.time)  # files were dated by this machine
                tidied_s = time.monotonic()
            if self._closed.wait(_SWEEP_S):
                return

    def _do(self, chore: Callable[[float], object], clock: Callable[[], float]) -> None:
        try:
            chore(clock())
        except Exception:  # noqa: BLE001 - thread boundary: tried again at the next sweep
            _log.exception("housekeeping failed; it is tried again")

    def _folders(self) -> Iterator[tuple[str, JobFiles]]:
        folder = self._storage.root / "jobs"
        if not folder.is_dir():
            return
        for path in list(folder.iterdir()):
            try:
                yield path.name, self._storage.job(path.name)
            except UnknownJobError:
                _log.warning("no folder of a job path=%s", path)


def _leftovers(files: JobFiles, state: JobState) -> Iterator[Path]:
    """Name what nobody needs of a job in this state."""
    if state is JobState.EXPIRED:
        yield files.folder
    elif state.terminal:
        yield from files.folder.glob("final.*")
        yield from files.folder.glob(f"{files.source.name}.*")
        yield from files.folder.glob("*.part")
        if state is JobState.SUCCEEDED:  # otherwise a retry goes on with them
            yield from files.folder.glob("chunks")


def _is_old(path: Path, now_s: float) -> bool:
    try:
        return now_s - path.stat().st_mtime > _YOUNG_S
    except FileNotFoundError:  # somebody has removed it since it was listed
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
