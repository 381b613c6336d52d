"""What a task fetches from the other machines before its work, and puts for them after it.

With one data folder for all (`FolderArtifacts`), everything is in its place, and nothing is done.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from sightline.jobs.artifacts import ArtifactError, remove_here, remove_or_log
from sightline.jobs.files import RESULTS_INDEX, SUMMARY
from sightline.jobs.states import JobState, TaskKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Self

    from sightline.jobs.artifacts import Artifact
    from sightline.jobs.files import JobFiles, Storage
    from sightline.jobs.model import Job, Lease

__all__ = [
    "GrowingIndex",
    "choose_results",
    "discard",
    "forget_results",
    "give_upload",
    "leftovers",
    "obtain_chunk",
    "obtain_source",
    "put_chunk",
    "put_ingested",
    "put_results",
    "remove_leftovers",
]

_log = logging.getLogger(__name__)

_GROWING_S = 3.0
_SHARE = 10
"""Copies of the index that grows take at most this part of the time."""


def give_upload(storage: Storage, upload_id: str, job_id: str) -> None:
    """Put the file of an upload where the job that takes it is done; again, it does nothing.

    Raises:
        ArtifactError: It cannot be put.
    """
    artifacts, upload = storage.artifacts, storage.upload(upload_id)
    if not artifacts.is_remote or not upload.exists():
        return
    source = storage.job(job_id).source
    with artifacts.using(job_id):
        artifacts.put(upload)
        source.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError, FileNotFoundError):  # asked for twice at the same time
            source.hardlink_to(upload)
        upload.unlink(missing_ok=True)


def obtain_source(storage: Storage, job: Job, tick: Callable[[], object]) -> bool:
    """Make the video be in its place; False if nobody has put it.

    Raises:
        ArtifactError: It cannot be fetched.
    """
    return storage.artifacts.fetch(
        storage.job(job.id).source,
        kept_as=None if job.spec.upload is None else storage.upload(job.spec.upload),
        size_bytes=None if job.video is None else job.video.size_bytes,
        tick=tick,
    )


def put_ingested(
    storage: Storage, job: Job, tick: Callable[[], object], *, had_source: bool
) -> None:
    """Put what ingest has made: the thumbnail, and the video unless it came from there.

    Raises:
        ArtifactError: It cannot be put.
    """
    files, artifacts = storage.job(job.id), storage.artifacts
    if not had_source:
        artifacts.put(files.source, tick=tick)
    if files.thumbnail.exists():
        artifacts.put(files.thumbnail, tick=tick)


def put_chunk(storage: Storage, lease: Lease, tick: Callable[[], object]) -> None:
    """Put the result of a chunk.

    Raises:
        ArtifactError: It cannot be put.
    """
    path = storage.job(lease.job.id).chunk(lease.task.number, lease.token)
    storage.artifacts.put(path, tick=tick)


def obtain_chunk(storage: Storage, path: Path, tick: Callable[[], object]) -> Path:
    """Make the result of a chunk be in its place.

    Raises:
        ArtifactError: It cannot be fetched, or is gone.
    """
    if not storage.artifacts.fetch(path, tick=tick):
        raise ArtifactError(f"{path.name} of {path.parents[1].name} is gone from the store")
    return path


def put_results(storage: Storage, lease: Lease, tick: Callable[[], object]) -> None:
    """Put the results of a final pass; the summary at the end says that they are complete.

    Raises:
        ArtifactError: They cannot be put.
    """
    files, artifacts = storage.job(lease.job.id), storage.artifacts
    if not artifacts.is_remote or not files.results.is_dir():
        return
    folder = files.shared_results(lease.token)
    files.results.rename(folder)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == SUMMARY):
        artifacts.put(path, tick=tick)


class GrowingIndex:
    """Puts the index of a final pass again and again while it grows; in a thread of its own.

    Every copy is consistent. What cannot be put now is put later: nothing depends on it.

    Args:
        storage: Where to.
        lease: Of the final pass.
        every_s: At most so often.
    """

    def __init__(self, storage: Storage, lease: Lease, *, every_s: float = _GROWING_S) -> None:
        files = storage.job(lease.job.id)
        self._artifacts = storage.artifacts
        self._index = files.final(lease.token) / RESULTS_INDEX
        self._copy = files.folder / f"growing.{lease.token}.part"
        self._kept_as = files.growing
        self._every_s = every_s
        self._seen: int | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="growing index", daemon=True)

    def __enter__(self) -> Self:
        if self._artifacts.is_remote:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._artifacts.is_remote:
            self._thread.join()
            remove_or_log(self._artifacts, self._kept_as)

    def _run(self) -> None:
        wait_s = self._every_s
        while not self._end.wait(wait_s):
            started_s = time.monotonic()
            try:
                self._put()
            except Exception as error:  # noqa: BLE001 - thread boundary: only delays what is shown
                _log.warning("cannot show results early: %s", error)
            wait_s = max(self._every_s, _SHARE * (time.monotonic() - started_s))

    def _put(self) -> None:
        try:
            changed = self._index.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._seen:
            return
        try:
            _copy_database(self._index, self._copy)
            self._artifacts.put(self._copy, kept_as=self._kept_as, tick=self._check)
        finally:
            self._copy.unlink(missing_ok=True)
        self._seen = changed

    def _check(self) -> None:
        if self._end.is_set():
            raise InterruptedError("the final pass has ended")


def discard(storage: Storage, lease: Lease, *, keeps_results: bool) -> None:
    """Remove what an attempt has written that came to nothing.

    Args:
        storage: Where it lies.
        lease: Of the attempt.
        keeps_results: Complete results stay: the attempt has failed, but what it found counts.
    """
    files, artifacts = storage.job(lease.job.id), storage.artifacts
    shutil.rmtree(files.final(lease.token), ignore_errors=True)
    chunk = files.chunk(lease.task.number, lease.token)
    for path in chunk.parent.glob(f"{chunk.name}*"):
        path.unlink(missing_ok=True)
    if not artifacts.is_remote:
        return
    if lease.task.kind is TaskKind.CHUNK:
        remove_or_log(artifacts, chunk)
    elif lease.task.kind is TaskKind.FINAL:
        folder = files.shared_results(lease.token)
        if not (keeps_results and _is_complete(storage, folder)):
            remove_or_log(artifacts, folder)


def remove_leftovers(storage: Storage, job: Job, token: str | None) -> None:
    """Remove from a remote store what nobody needs of a job at its end.

    Args:
        storage: Where it lies.
        job: As it is at its end.
        token: Which final pass counts; None: the last one that was complete.

    Raises:
        ArtifactError: The store does not do it.
    """
    artifacts, files = storage.artifacts, storage.job(job.id)
    if not artifacts.is_remote:
        return
    for path in leftovers(files, artifacts.find(files.folder), job.state, token):
        artifacts.remove(path)


def leftovers(
    files: JobFiles, kept: Iterable[Artifact], state: JobState, token: str | None
) -> set[Path]:
    """Name what nobody needs of a job at its end, of what is kept of it."""
    kept = list(kept)
    counts = choose_results(files, kept, token)
    needless: set[Path] = set()
    for artifact in kept:
        top = files.folder / artifact.path.relative_to(files.folder).parts[0]
        is_needless = (
            top == files.growing
            or (top.name.startswith("results.") and top != counts)
            or (
                top.name == "chunks" and state is JobState.SUCCEEDED
            )  # or a retry goes on with them
        )
        if is_needless:
            needless.add(top)
    return needless


def choose_results(files: JobFiles, kept: Iterable[Artifact], token: str | None) -> Path | None:
    """Say which folder has the results that count: those on the row, else the last complete ones.

    A final pass that fails late leaves results, but nothing on its row.
    """
    complete = {
        artifact.path.parent: artifact.modified_s or 0.0
        for artifact in kept
        if artifact.path.name == SUMMARY and artifact.path.parent.name.startswith("results.")
    }
    counting = None if token is None else files.shared_results(token)
    if counting in complete:
        return counting
    return max(complete, key=lambda folder: complete[folder], default=None)


def forget_results(storage: Storage, lease: Lease) -> None:
    """Remove from this machine what a pass has left that was cut off before it put its results."""
    if storage.artifacts.is_remote:
        remove_here(storage.job(lease.job.id).results)


def _is_complete(storage: Storage, folder: Path) -> bool:
    try:
        return storage.artifacts.version(folder / SUMMARY) is not None
    except ArtifactError:
        return True  # nobody knows: it is tidied up later


def _copy_database(index: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
