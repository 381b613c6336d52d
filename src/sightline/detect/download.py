"""Fetching catalogue models: resumed, verified, cached, and safe among several processes.

    cache_dir/models/FILE         verified; never written in place
    cache_dir/models/FILE.part    what has arrived so far; the next attempt goes on from there
    cache_dir/models/FILE.lock    held by the process that fetches

A file that a user puts in place by hand is verified and used like any other.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

import httpx

from sightline.detect.digest import sha256_of
from sightline.errors import DownloadError
from sightline.file_locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.detect.catalogue import CatalogueEntry
    from sightline.settings import Settings

__all__ = ["Patience", "Progress", "cached_path", "fetch_model"]

Progress = Callable[[int, int], None]
"""Called with the number of bytes that have arrived and their final number."""

_log = logging.getLogger(__name__)

_LOCK_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what.

    Attributes:
        connect_timeout_s: For a connection.
        read_timeout_s: For the next bytes.
        lock_timeout_s: For another process that is fetching the same file.
        attempts: Connections per URL; each goes on where the last one broke off.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    lock_timeout_s: float = 1800.0
    attempts: int = 3


class _AttemptError(Exception):
    """One URL does not deliver the file; another one may."""


class _InterruptedError(_AttemptError):
    """The same URL may deliver what is missing."""


def cached_path(entry: CatalogueEntry, settings: Settings) -> Path:
    """Say where the file of a catalogue model is kept, whether it is there or not."""
    return settings.cache_dir / "models" / entry.file_name


def fetch_model(
    entry: CatalogueEntry,
    *,
    settings: Settings,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Return the verified file of a catalogue model, fetching it if it is not there.

    Blocks; any number of processes and threads may call at once, and one of them fetches.

    Args:
        entry: The model.
        settings: Where to keep it, and whether and whence to fetch.
        progress: Told how far it is.
        patience: Time limits.

    Raises:
        DownloadError: It cannot be fetched, or the file there is not the right one.
    """
    path = cached_path(entry, settings)
    patience = patience or Patience()
    try:
        if _is_cached(path, entry):
            return path
        if settings.offline:
            raise DownloadError(
                f"model {entry.name!r} is not here, and fetching is switched off; "
                f"{_by_hand(entry, path)}"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock"), patience.lock_timeout_s):
            if not _is_cached(path, entry):
                download = _Download(entry=entry, path=path, progress=progress, patience=patience)
                download.run(_urls(entry, settings))
    except OSError as error:
        raise DownloadError(
            f"model {entry.name!r} cannot be kept in {path.parent}: {error.strerror or error}"
        ) from error
    return path


def _is_cached(path: Path, entry: CatalogueEntry) -> bool:
    if not path.exists():
        return False
    problem = _mismatch(path, entry)
    if problem:
        raise DownloadError(
            f"{path} is not the file of model {entry.name!r}: {problem}; "
            "remove it to have it fetched again"
        )
    return True


def _mismatch(path: Path, entry: CatalogueEntry) -> str:
    """Say how a file differs from what the catalogue promises; empty if it does not."""
    size = path.stat().st_size
    if size != entry.size_bytes:
        return f"it has {size} bytes, not {entry.size_bytes}"
    digest = sha256_of(path)
    return "" if digest == entry.sha256 else f"its SHA-256 is {digest}, not {entry.sha256}"


def _urls(entry: CatalogueEntry, settings: Settings) -> tuple[str, ...]:
    if settings.model_base_url is None:
        return entry.urls
    return (f"{settings.model_base_url.rstrip('/')}/{entry.file_name}",)


def _by_hand(entry: CatalogueEntry, path: Path) -> str:
    return (
        f"fetch {entry.urls[0]} by other means and place it as {path} "
        f"({entry.size_bytes} bytes, SHA-256 {entry.sha256})"
    )


@contextmanager
def _locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it if the process dies."""
    deadline = time.monotonic() + timeout_s
    with path.open("w") as file:
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise DownloadError(
                    f"another process has held {path} for {timeout_s:g} s; "
                    "end it, or try again later"
                )
            time.sleep(_LOCK_POLL_S)
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    """One file on its way: to `path`, by way of a `.part` file beside it."""

    entry: CatalogueEntry
    path: Path
    progress: Progress | None
    patience: Patience

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    def run(self, urls: tuple[str, ...]) -> None:
        """Try one URL after the other."""
        patience = self.patience
        timeout = httpx.Timeout(patience.read_timeout_s, connect=patience.connect_timeout_s)
        failures = []
        with httpx.Client(timeout=timeout, follow_redirects=True) as client:
            for url in urls:
                try:
                    self._fetch_from(client, url)
                except _AttemptError as failure:
                    failures.append(f"{url}: {failure}")
                    _log.info("model=%s url=%s failed=%s", self.entry.name, url, failure)
                else:
                    self.part.replace(self.path)
                    return
        raise DownloadError(
            f"model {self.entry.name!r} cannot be fetched ({'; '.join(failures)}); "
            f"{_by_hand(self.entry, self.path)}"
        )

    def _fetch_from(self, client: httpx.Client, url: str) -> None:
        """Make the part the whole, right file."""
        for remaining in reversed(range(self.patience.attempts)):
            try:
                self._transfer(client, url)
            except _InterruptedError:
                if not remaining:
                    raise
            else:
                return

    def _transfer(self, client: httpx.Client, url: str) -> None:
        """Append to the part what is missing, over one connection, and verify it."""
        arrived = self.part.stat().st_size if self.part.exists() else 0
        if arrived < self.entry.size_bytes:
            headers = {"Accept-Encoding": "identity"}
            if arrived:
                headers["Range"] = f"bytes={arrived}-"
            try:
                with client.stream("GET", url, headers=headers) as response:
                    mode = _judge(response, arrived, self.entry.size_bytes)
                    with self.part.open(mode) as file:
                        self._receive(response, file)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _InterruptedError(str(error) or type(error).__name__) from error
        problem = _mismatch(self.part, self.entry)
        if problem:
            self.part.unlink()
            # what was there before may be at fault: then this URL deserves another attempt
            kind = _InterruptedError if arrived else _AttemptError
            raise kind(f"the file is wrong: {problem}")

    def _receive(self, response: httpx.Response, file: IO[bytes]) -> None:
        size_bytes = self.entry.size_bytes
        for data in response.iter_raw():
            if file.tell() + len(data) > size_bytes:
                raise _AttemptError(f"it sends more than {size_bytes} bytes")
            file.write(data)
            if self.progress is not None:
                self.progress(file.tell(), size_bytes)
        file.flush()
        os.fsync(file.fileno())


def _judge(response: httpx.Response, arrived: int, size_bytes: int) -> Literal["ab", "wb"]:
    """Decide by the head of a response whether it goes on where the part ends, or starts anew."""
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        offered = response.headers.get("Content-Range", "nothing")
        if offered != f"bytes {arrived}-{size_bytes - 1}/{size_bytes}":
            raise _AttemptError(f"it offers {offered} of a file of {size_bytes} bytes")
        return "ab"
    if response.status_code != httpx.codes.OK:
        raise _AttemptError(f"HTTP status {response.status_code}")
    length = response.headers.get("Content-Length")
    if length is not None and int(length) != size_bytes:
        raise _AttemptError(f"it offers a file of {length} bytes, not {size_bytes}")
    return "wb"
