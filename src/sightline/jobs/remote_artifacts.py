"""Files of jobs in a remote store, such as an S3 bucket, by way of fsspec.

    s3://bucket/prefix          the extra `s3`; credentials and endpoint from AWS_* variables
    memory://, file:///folder   any other file system of fsspec whose packages are installed

Whole files are put and fetched. The file system is made in the process that uses it, when it is
first used: those with a loop of their own do not survive a fork.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import time
import uuid
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sightline.jobs.artifact_url import check_url, secrets_in, shown
from sightline.jobs.artifacts import (
    Artifact,
    ArtifactError,
    Artifacts,
    FolderArtifacts,
    remove_here,
    version_of,
)
from sightline.jobs.local_cache import LocalCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["DEFAULT_CACHE_BYTES", "RemoteArtifacts", "open_artifacts"]

_log = logging.getLogger(__name__)

DEFAULT_CACHE_BYTES = 50 * 2**30
"""Room on each machine for copies of what is in the store."""

_Result = TypeVar("_Result")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_MOMENT_S = 0.1
_S3: dict[str, Any] = {"max_concurrency": 4}
"""Each takes 50 MiB of memory."""
_OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3, "file": {"auto_mkdir": True}}
_FULL = re.compile(r"storage ?full|quota ?exceeded|no space|insufficient ?storage", re.IGNORECASE)
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TIMES = ("LastModified", "mtime", "modified", "last_modified", "updated", "created")
_VERSIONS = ("ETag", "etag", *_TIMES)


def _nothing() -> None:
    pass


class RemoteArtifacts:
    """A remote store, and the copies of its files on this machine.

    Args:
        url: Of the store; see above.
        root: The data folder of this machine.
        cache_bytes: Room for the copies.
        patience_s: How long a store that is away is asked again before that is an error.
        pause_s: Without patience, a store that was away is not asked again for so long: waiting for
            it would hold up everything else.

    Attributes:
        where: See `Artifacts`.
        is_remote: True.

    Raises:
        ArtifactError: The URL makes no sense, or names an unknown kind of store.
        MissingExtraError: The extra `s3` is not installed.
    """

    is_remote = True

    def __init__(
        self,
        url: str,
        root: Path,
        *,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        patience_s: float = 0.0,
        pause_s: float = 5.0,
    ) -> None:
        self.where = shown(url)
        self._url = url
        self._secrets = secrets_in(url)
        self._root = root
        self._cache = LocalCache(root, most_bytes=cache_bytes)
        self._patience_s = patience_s
        self._pause_s = pause_s
        self._away: tuple[float, str] | None = None
        self._made: tuple[int, Any, str] | None = None
        check_url(url)

    def check(self) -> None:
        """Write, read and remove a small file; see `Artifacts`."""
        key = f"check-{uuid.uuid4().hex}"
        content = key.encode()

        def write_and_remove(system: Any, path: str) -> bool:
            system.pipe_file(path, content)
            is_same = bool(system.cat_file(path) == content)
            system.rm_file(path)
            return is_same

        try:
            is_same = self._do("use", key, write_and_remove)
        except FileNotFoundError as error:
            raise self._error("use", "", error) from None
        if not is_same:
            raise ArtifactError(f"{self.where} does not give back what is put there")

    def using(self, job_id: str) -> AbstractContextManager[None]:
        """Keep the local files of a job while the block runs."""
        return self._cache.using(job_id)

    def put(
        self, path: Path, *, kept_as: Path | None = None, tick: Callable[[], object] = _nothing
    ) -> None:
        """Put a file; see `Artifacts`."""
        key = self._key(kept_as or path)
        watch = _Watch(tick)
        path.stat()  # missing, it is not the store's fault
        try:
            self._do(
                "put", key, lambda s, to: s.put_file(str(path), to, callback=watch.new()), watch
            )
        except FileNotFoundError as error:  # such as a bucket that is gone
            raise self._error("put", key, error) from None

    def fetch(
        self,
        path: Path,
        *,
        kept_as: Path | None = None,
        size_bytes: int | None = None,
        tick: Callable[[], object] = _nothing,
    ) -> bool:
        """Fetch a file, once for all processes of this machine; see `Artifacts`."""
        if _is_here(path, size_bytes):
            return True
        key, watch = self._key(kept_as or path), _Watch(tick)
        with self._cache.fetching(self._key(path), tick=tick) as part:
            if _is_here(path, size_bytes):
                return True
            try:
                info = self._do("fetch", key, lambda system, at: system.info(at), watch)
                self._check_size(key, info, size_bytes)
                self._do(
                    "fetch",
                    key,
                    lambda s, at: s.get_file(at, str(part), callback=watch.new()),
                    watch,
                )
                # Large files come in parts, which would be of two contents.
                self._check_same(key, info, watch)
            except FileNotFoundError:
                return False
            self._move_to_its_place(part, path, info)
        self._cache.trim()
        return True

    def version(self, path: Path) -> str | None:
        """Name the content by what the store says of it."""
        key = self._key(path)
        try:
            return _version(self._do("look at", key, lambda system, at: system.info(at)))
        except FileNotFoundError:
            return None

    def find(self, folder: Path) -> list[Artifact]:
        """List the files that are kept below a folder."""
        key = self._key(folder)
        found = self._do("list", key, lambda s, at: (s.find(at, detail=True), at))
        entries, base = found
        return [
            Artifact(
                path=folder / str(name)[len(base) :].lstrip("/"),
                size_bytes=int(info.get("size") or 0),
                modified_s=_modified_s(info),
            )
            for name, info in entries.items()
            if str(name).startswith(f"{base}/")
        ]

    def folders(self, folder: Path) -> list[str]:
        """Name the folders right below a folder."""
        key = self._key(folder)
        try:
            entries = self._do("list", key, lambda s, at: s.ls(at, detail=True))
        except FileNotFoundError:
            return []
        return [
            str(info["name"]).rstrip("/").rpartition("/")[2]
            for info in entries
            if info.get("type") == "directory"
        ]

    def remove(self, path: Path) -> None:
        """Remove a file or a folder, here and from the store."""
        key = self._key(path)
        remove_here(path)
        with suppress(FileNotFoundError):
            self._do("remove", key, lambda system, at: system.rm(at, recursive=True))

    def trim(self) -> None:
        """Keep to the room that copies on this machine may take."""
        self._cache.trim()

    def close(self) -> None:
        """Release connections."""
        made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            _close(made[1])

    def _key(self, path: Path) -> str:
        key = path.relative_to(self._root).as_posix()
        if key in ("", ".") or ".." in path.parts:
            raise ValueError(f"not a file of the data folder: {path}")
        return key

    def _do(
        self,
        doing: str,
        key: str,
        act: Callable[[Any, str], _Result],
        watch: _Watch | None = None,
    ) -> _Result:
        """Do something with the file system, again and again as long as patience lasts."""
        watch = watch or _Watch(_nothing)
        self._check_away(doing, key)
        until_s, pause_s = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while True:
            watch.tick()
            try:
                system, base = self._system()
                done = act(system, f"{base}/{key}")
            except FileNotFoundError:
                raise
            except Exception as error:  # noqa: BLE001 - libraries of stores raise what they like
                if watch.stopped is not None:
                    raise watch.stopped from None
                failure = self._error(doing, key, error)
                if _is_hopeless(error, failure):
                    raise failure from None
                if time.monotonic() >= until_s:
                    self._away = (time.monotonic() + self._pause_s, self._reason(error))
                    raise failure from None
                _log.warning("%s; trying again", failure)
            else:
                self._away = None
                return done
            watch.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _check_away(self, doing: str, key: str) -> None:
        away = self._away
        if away is not None and not self._patience_s and time.monotonic() < away[0]:
            raise ArtifactError(f"cannot {doing} {self.where}/{key}: {away[1]}")

    def _system(self) -> tuple[Any, str]:
        """Give the file system, made in this process, and the path of the store in it."""
        made = self._made
        if made is None or made[0] != os.getpid():
            from fsspec.core import url_to_fs

            options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
            options |= _OPTIONS.get(urlsplit(self._url).scheme, {})
            system, base = url_to_fs(self._url, **options)
            made = self._made = (os.getpid(), system, base.rstrip("/"))
        return made[1], made[2]

    def _check_size(self, key: str, info: dict[str, Any], size_bytes: int | None) -> None:
        size = info.get("size")
        if size_bytes is not None and size is not None and size != size_bytes:
            raise ArtifactError(
                f"{self.where}/{key} has {size} bytes, not {size_bytes}: it was replaced"
            )

    def _check_same(self, key: str, info: dict[str, Any], watch: _Watch) -> None:
        now = self._do("fetch", key, lambda system, at: system.info(at), watch)
        if _version(now) != _version(info):
            raise ArtifactError(
                f"cannot fetch {self.where}/{key}: it was replaced meanwhile; try again"
            )

    def _move_to_its_place(self, part: Path, path: Path, info: dict[str, Any]) -> None:
        size = part.stat().st_size
        if info.get("size") not in (None, size):
            raise ArtifactError(
                f"cannot fetch {self.where}/{self._key(path)}: "
                f"{size} of {info['size']} bytes came; try again"
            )
        modified_s = _modified_s(info)
        if modified_s is not None:
            os.utime(part, (modified_s, modified_s))  # alike on all machines
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)

    def _error(self, doing: str, key: str, error: Exception) -> ArtifactError:
        reason = self._reason(error)
        failure = ArtifactError(f"cannot {doing} {self.where}/{key}: {reason}")
        number = getattr(error, "errno", None)
        failure.errno = errno.ENOSPC if _FULL.search(reason) else number
        return failure

    def _reason(self, error: Exception) -> str:
        reason = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        return reason


class _Watch:
    """Passes the progress of transfers on, and keeps what ended them.

    Transfers call it in a thread of their library, which may dress up what it raises.
    """

    def __init__(self, tick: Callable[[], object]) -> None:
        self.stopped: BaseException | None = None
        self._tick = tick

    def tick(self) -> None:
        try:
            self._tick()
        except BaseException as error:
            self.stopped = error
            raise

    def wait(self, pause_s: float) -> None:
        until_s = time.monotonic() + pause_s
        while (left_s := until_s - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(_MOMENT_S, left_s))

    def new(self) -> Any:
        """Make the callback of one transfer."""
        from fsspec.callbacks import Callback

        watch = self

        class Progress(Callback):  # type: ignore[misc, unused-ignore]
            def call(self, *_: object, **__: object) -> None:
                watch.tick()

        return Progress()


def open_artifacts(
    url: str | None,
    root: Path,
    *,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    patience_s: float = 0.0,
) -> Artifacts:
    """Give what keeps the files of a service; opens no connection.

    Args:
        url: Of a remote store; None: files are where they are, in the data folder.
        root: The data folder.
        cache_bytes: Room for copies of a remote store's files.
        patience_s: How long a store that is away is asked again.

    Raises:
        ArtifactError: The URL makes no sense.
        MissingExtraError: The extra `s3` is not installed.
    """
    if url is None:
        return FolderArtifacts()
    return RemoteArtifacts(url, root, cache_bytes=cache_bytes, patience_s=patience_s)


def _is_hopeless(error: Exception, failure: ArtifactError) -> bool:
    """Whether it makes no sense to ask again soon."""
    return isinstance(error, PermissionError | ValueError) or failure.errno in _HOPELESS


def _is_here(path: Path, size_bytes: int | None) -> bool:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    return size_bytes is None or size == size_bytes


def _version(info: dict[str, Any]) -> str:
    return version_of(info.get("size"), *(info.get(name) for name in _VERSIONS))


def _modified_s(info: dict[str, Any]) -> float | None:
    for name in _TIMES:
        match info.get(name):
            case datetime() as moment:
                return moment.timestamp()
            case int() | float() as seconds:
                return float(seconds)
    return None


def _close(system: Any) -> None:
    """Close the connections of s3fs; other file systems close theirs by themselves."""
    client = getattr(system, "_s3", None)
    if client is not None:
        type(system).close_session(system.loop, client)
