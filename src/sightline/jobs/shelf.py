"""The files of a job for those who show them: found where they are, or fetched when asked for."""

from __future__ import annotations

import stat
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.files import RESULTS_INDEX
from sightline.jobs.states import TaskKind
from sightline.jobs.transfers import choose_results, obtain_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sightline.jobs.artifacts import Artifacts
    from sightline.jobs.files import JobFiles, Storage
    from sightline.jobs.model import Job
    from sightline.jobs.states import JobState
    from sightline.jobs.store import JobStore

__all__ = ["Shelf", "Shelves"]

_MOST_KNOWN = 10_000
_FRESH_S = 1.0
"""While a job is under way, its files are looked for that often at most."""
_COPIES = 2
"""So many copies of an index that grows stay: somebody may be about to open the older one."""


class Shelf(Protocol):
    """The files of one job; whatever is given stays as long as the shelf is open.

    Methods block. In a remote store, they raise `ArtifactError` if it cannot be used.

    Attributes:
        state: Of the job, when the shelf was opened.
    """

    state: JobState

    def results(self) -> Mapping[str, int]:
        """Name the files of the results that count, with their sizes."""

    def result(self, name: str) -> Path | None:
        """Give a file of the results that count; None: there is none."""

    def growing_index(self) -> Path | None:
        """Give the index of the final pass that runs, as it is or was lately; None: none runs."""

    def source(self) -> Path | None:
        """Give the video; None: it is not here, or not any more."""

    def thumbnail(self) -> Path | None:
        """Give the picture of the video; None: there is none."""


class Shelves:
    """Opens the files of jobs, and remembers what was found of remote ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, storage: Storage, store: JobStore, job: Job) -> Iterator[Shelf]:
        """Open the files of a job while the block runs.

        Args:
            storage: Where they are.
            store: Says which results count.
            job: As it is now.
        """
        files = storage.job(job.id)
        if not storage.artifacts.is_remote:
            yield _FolderShelf(files, job)
            return
        with storage.artifacts.using(job.id):
            yield _RemoteShelf(storage, store, job, known=self._of(job.id))

    def _of(self, job_id: str) -> _Known:
        with self._lock:
            known = self._known.pop(job_id, None) or _Known()
            self._known[job_id] = known
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
            return known


@dataclass(slots=True)
class _Known:
    """What was found in the store of one job.

    Attributes:
        results: The folder of the results that count, and its files with their sizes.
        results_of: The version of the job that they are of; None: not looked for.
        results_s: When they were looked for, on the monotonic clock.
        index: The version of the index that grows.
        index_s: When it was looked for.
    """

    results: tuple[Path | None, dict[str, int]] = (None, {})
    results_of: int | None = None
    results_s: float = float("-inf")
    index: str | None = None
    index_s: float = field(default=float("-inf"))


class _FolderShelf:
    """Files that are where they are."""

    def __init__(self, files: JobFiles, job: Job) -> None:
        self.state = job.state
        self._files = files

    def results(self) -> Mapping[str, int]:
        sizes = {}
        with suppress(FileNotFoundError):  # there are none, or the job is being deleted
            for path in self._files.results.iterdir():
                if stat.S_ISREG((status := path.stat()).st_mode):
                    sizes[path.name] = status.st_size
        return sizes

    def result(self, name: str) -> Path | None:
        return _if_there(self._files.results / name)

    def growing_index(self) -> Path | None:
        if self.state.terminal:
            return None
        found = self._files.folder.glob(f"final.*/{RESULTS_INDEX}")
        return next((path for path in list(found) if path.is_file()), None)

    def source(self) -> Path | None:
        return _if_there(self._files.source)

    def thumbnail(self) -> Path | None:
        return _if_there(self._files.thumbnail)


class _RemoteShelf:
    """Files that are fetched when they are asked for, and then as long as there is room."""

    def __init__(self, storage: Storage, store: JobStore, job: Job, *, known: _Known) -> None:
        self.state = job.state
        self._storage = storage
        self._store = store
        self._job = job
        self._files = storage.job(job.id)
        self._known = known

    def results(self) -> Mapping[str, int]:
        return self._results()[1]

    def result(self, name: str) -> Path | None:
        folder, sizes = self._results()
        if folder is None or name not in sizes:
            return None
        return self._fetched(folder / name)

    def growing_index(self) -> Path | None:
        if self.state.terminal or self._job.video is None:
            return None
        try:
            return self._newest_index()
        except ArtifactError:
            copies = _copies(self._files.folder)
            if not copies:
                raise
            return copies[-1]

    def source(self) -> Path | None:
        found = obtain_source(self._storage, self._job, lambda: None)
        return self._files.source if found else None

    def thumbnail(self) -> Path | None:
        return None if self._job.video is None else self._fetched(self._files.thumbnail)

    def _newest_index(self) -> Path | None:
        files, known = self._files, self._known
        now_s = time.monotonic()
        if now_s - known.index_s >= _FRESH_S:
            known.index, known.index_s = self._artifacts.version(files.growing), now_s
        if known.index is None:
            return None
        copy = files.folder / f"growing.{known.index}.sqlite"
        if not self._artifacts.fetch(copy, kept_as=files.growing):
            return None
        for older in _copies(files.folder)[:-_COPIES]:
            if older != copy:
                older.unlink(missing_ok=True)
        return copy

    @property
    def _artifacts(self) -> Artifacts:
        return self._storage.artifacts

    def _fetched(self, path: Path) -> Path | None:
        return path if self._artifacts.fetch(path) else None

    def _results(self) -> tuple[Path | None, dict[str, int]]:
        known, now_s = self._known, time.monotonic()
        if self.state.terminal:
            is_known = known.results_of == self._job.version
        else:
            is_known = now_s - known.results_s < _FRESH_S
        if is_known:
            return known.results
        if self._job.video is None:  # no final pass has ever begun
            return None, {}
        kept = self._artifacts.find(self._files.folder)
        folder = choose_results(self._files, kept, self._token())
        sizes = {file.path.name: file.size_bytes for file in kept if file.path.parent == folder}
        known.results, known.results_s = (folder, sizes), now_s
        known.results_of = self._job.version
        return known.results

    def _token(self) -> str | None:
        tasks = self._store.tasks(self._job.id)
        return next((task.result for task in tasks if task.kind is TaskKind.FINAL), None)


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _copies(folder: Path) -> list[Path]:
    """List the copies of an index that grows, the newest one last."""
    found = []
    for path in folder.glob("growing.*.sqlite"):
        with suppress(FileNotFoundError):  # another request has just removed it
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]
