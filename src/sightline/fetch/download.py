"""Downloads a file from an address that a stranger named: limited in size, time and space.

    TO.part    what has arrived so far, while the download runs
    TO         the file, complete

A connection that breaks off is taken up again where it ended, if the server can say that it still
has the same file; otherwise from the beginning.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from sightline.fetch.connection import Watch
from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.exchange import Request, followed
from sightline.fetch.filename import filename_of
from sightline.fetch.url import parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.fetch.exchange import Answer
    from sightline.fetch.policy import AddressPolicy
    from sightline.fetch.url import HttpUrl

__all__ = ["DownloadLimits", "Downloaded", "Progress", "download"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and their final number, None where unknown: for every
block, and about twice a second while none comes. What it raises ends the download."""

_SPACE_CHECK_BYTES = 64 * 2**20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """When a download is given up.

    Attributes:
        max_bytes: Largest file.
        connect_timeout_s: Longest wait for a connection.
        read_timeout_s: Longest wait for the head of an answer, and for the next bytes.
        total_timeout_s: Longest download.
        min_bytes_per_s: Slowest download, on average over `speed_window_s`.
        speed_window_s: See there.
        keep_free_bytes: Room that must stay free on the disk.
        attempts: Connections; the second and later ones go on where the last one broke off.
        retry_delay_s: Wait before the second one; doubled each time.
    """

    max_bytes: int = 20 * 2**30
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    total_timeout_s: float = 6 * 3600.0
    min_bytes_per_s: int = 4096
    speed_window_s: float = 30.0
    keep_free_bytes: int = 2**30
    attempts: int = 4
    retry_delay_s: float = 0.5

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value < 0 or (value == 0 and name in ("max_bytes", "attempts")):
                raise ValueError(f"{name} must be positive, but is {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that was downloaded.

    Attributes:
        size: Bytes.
        sha256: Digest, hexadecimal.
        name: How the server calls it; any text without folders, not to be trusted; may be "".
        content_type: What the server says that it is; not to be trusted; may be "".
    """

    size: int
    sha256: str
    name: str
    content_type: str


def download(
    url: str,
    to: Path,
    *,
    policy: AddressPolicy,
    limits: DownloadLimits | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Downloaded:
    """Download a file; blocks.

    Args:
        url: http or https; user and password in it are used, and shown nowhere.
        to: Where it is to be; appears complete or not at all. Its folder exists.
        policy: Which addresses may be contacted.
        limits: When to give up; None: the defaults.
        on_progress: Told how far it is.

    Raises:
        FetchError: It cannot be fetched, or must not be.
        OSError: It cannot be written.
    """
    address = parse_url(url)
    limits = limits or DownloadLimits()
    policy.check(address)
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("w+b") as file:
            task = _Download(address, file, policy=policy, limits=limits, on_progress=on_progress)
            done = task.run()
            file.flush()
            os.fsync(file.fileno())
        part.replace(to)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return done


class _Download:
    """One file on its way.

    Attributes:
        total: Its size; None where the server does not say.
    """

    def __init__(
        self,
        url: HttpUrl,
        file: IO[bytes],
        *,
        policy: AddressPolicy,
        limits: DownloadLimits,
        on_progress: Progress,
    ) -> None:
        self.total: int | None = None
        self._url = url
        self._file = file
        self._policy = policy
        self._limits = limits
        self._on_progress = on_progress
        self._until_s = time.monotonic() + limits.total_timeout_s
        self._watch = Watch(self._until_s, self._tick)
        self._arrived = 0
        self._digest = hashlib.sha256()
        self._validator = ""

    def run(self) -> Downloaded:
        """Fetch it, over several connections if need be."""
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return self._transfer()
            except FetchError as error:
                broke_off = error.code is FetchCode.INTERRUPTED
                if not broke_off or attempt == self._limits.attempts:
                    raise
            self._pause(self._limits.retry_delay_s * 2 ** (attempt - 1))
        raise AssertionError("there is at least one attempt")

    def _pause(self, delay_s: float) -> None:
        resume_s = time.monotonic() + delay_s
        while (left_s := resume_s - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(left_s, 0.5))

    def _transfer(self) -> Downloaded:
        """Fetch what is missing over one connection."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self._arrived and self._validator:
            headers |= {"Range": f"bytes={self._arrived}-", "If-Range": self._validator}
        request = Request(
            headers=headers,
            connect_timeout_s=self._limits.connect_timeout_s,
            read_timeout_s=self._limits.read_timeout_s,
        )
        self._watch.until_s = min(self._until_s, time.monotonic() + 2 * self._limits.read_timeout_s)
        with followed(self._url, request, policy=self._policy, watch=self._watch) as answer:
            self._watch.until_s = self._until_s
            self._judge(answer)
            self._receive(answer)
            if self.total not in (None, self._arrived):
                # The rest of a file may come without a length that HTTP checks.
                raise self._error("the answer ends too early", FetchCode.INTERRUPTED, again=True)
            return Downloaded(
                size=self._arrived,
                sha256=self._digest.hexdigest(),
                name=filename_of(answer.headers.get("content-disposition", ""), answer.url.target),
                content_type=answer.headers.get("content-type", "").partition(";")[0].strip(),
            )

    def _judge(self, answer: Answer) -> None:
        """Decide by the head of an answer whether it goes on, begins anew, or is of no use."""
        coding = answer.headers.get("content-encoding", "identity").lower()
        if coding != "identity":
            raise self._error(f"it comes compressed ({coding[:20]!r})", FetchCode.BAD_ANSWER)
        if answer.status == 206 and (total := self._total_by_rest(answer)) is not None:
            self.total = total
            return
        if answer.status != 200:
            raise self._bad_status(answer.status)
        self._file.seek(0)
        self._file.truncate()
        self._arrived, self._digest = 0, hashlib.sha256()
        self.total = _length(answer)
        self._validator = _validator(answer)
        if self.total is not None and self.total > self._limits.max_bytes:
            raise self._too_large()
        self._check_space(self.total or 0)

    def _total_by_rest(self, answer: Answer) -> int | None:
        """Give the size of the file if a partial answer is the rest of what has arrived."""
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not self._arrived or match is None:
            return None
        first, last, total = map(int, match.groups())
        known = total if self.total is None else self.total
        goes_on = first == self._arrived and last + 1 == total == known
        return total if goes_on else None

    def _receive(self, answer: Answer) -> None:
        window_from_s, window_bytes, checked = time.monotonic(), 0, self._arrived
        for block in answer.blocks:
            if self._arrived + len(block) > self._limits.max_bytes:
                raise self._too_large()
            self._file.write(block)
            self._digest.update(block)
            self._arrived += len(block)
            self._tick()
            if self._arrived - checked >= _SPACE_CHECK_BYTES:
                checked = self._arrived
                self._check_space(0)
            window_bytes += len(block)
            window_s = time.monotonic() - window_from_s
            if window_s >= self._limits.speed_window_s:
                if window_bytes < self._limits.min_bytes_per_s * window_s:
                    raise self._error("it comes too slowly", FetchCode.TOO_SLOW, again=True)
                window_from_s, window_bytes = time.monotonic(), 0

    def _tick(self) -> None:
        if time.monotonic() > self._until_s:
            limit_s = self._limits.total_timeout_s
            raise self._error(f"it takes longer than {limit_s:g} s", FetchCode.TOO_SLOW)
        self._on_progress(self._arrived, self.total)

    def _check_space(self, needed: int) -> None:
        """Leave some room for everybody else."""
        free = shutil.disk_usage(os.path.dirname(self._file.name)).free  # noqa: PTH120
        if free - needed < self._limits.keep_free_bytes:
            raise self._error("there is no room for it", FetchCode.NO_SPACE, again=True)

    def _bad_status(self, status: int) -> FetchError:
        if status in (404, 410):
            return self._error("there is no such file", FetchCode.NOT_FOUND)
        again = status >= 500 or status in (408, 425, 429)
        return self._error(f"its server answers {status}", FetchCode.BAD_STATUS, again=again)

    def _too_large(self) -> FetchError:
        limit = self._limits.max_bytes
        return self._error(f"it is larger than {limit} bytes", FetchCode.TOO_LARGE)

    def _error(self, why: str, code: FetchCode, *, again: bool = False) -> FetchError:
        return FetchError(f"cannot fetch {self._url.shown}: {why}", code=code, again=again)


def _length(answer: Answer) -> int | None:
    """Say how long a body will be; what comes in chunks has no other length (RFC 9112, 6.3)."""
    length = answer.headers.get("content-length")
    return None if length is None or "transfer-encoding" in answer.headers else int(length)


def _validator(answer: Answer) -> str:
    """What names this version of the file in `If-Range` (RFC 9110, 13.1.5): no weak tag."""
    tag = answer.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("last-modified", "")
