"""The way of a body into the file of an upload: in blocks, checked, and kept if it breaks off.

While a body is awaited the event loop is free, and blocks are written by threads.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sightline.service.upload_file import UploadFile

__all__ = ["CHECKSUMS", "BlockWriter", "Checksum", "Writers", "append_body"]

CHECKSUMS = ("sha1", "sha256", "md5")
"""Algorithms of `Upload-Checksum`; the first one is the specification's."""

_BLOCK_BYTES = 1024 * 1024
_INTERRUPT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """What a body must have.

    Attributes:
        algorithm: One of `CHECKSUMS`.
        digest: Its value.
    """

    algorithm: str
    digest: bytes


class BlockWriter:
    """Gathers pieces of a body and appends them in blocks, in threads.

    Args:
        file: Where to; whoever opened it closes it.
        algorithm: What to compute over the pieces; "" for nothing.
    """

    def __init__(self, file: UploadFile, *, algorithm: str = "") -> None:
        self._file = file
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._hash = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None

    @property
    def size(self) -> int:
        """Bytes in the file, when all that waits is written."""
        return self._file.size + self._waiting

    @property
    def digest(self) -> bytes:
        """Of what is written so far; empty without an algorithm."""
        return self._hash.digest() if self._hash is not None else b""

    async def add(self, piece: bytes) -> None:
        """Take a piece, and write if there is enough."""
        self._pieces.append(piece)
        self._waiting += len(piece)
        if self._waiting >= _BLOCK_BYTES:
            await self._in_thread(self._write)

    async def finish(self) -> None:
        """Write what waits, and see it on the disk."""
        await self._in_thread(self._write)
        await self._in_thread(self._file.sync)

    def _write(self) -> None:
        if not self._pieces:
            return
        block = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._hash is not None:
            self._hash.update(block)
        self._file.append(block)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        # A block is written whole even if the request is being ended meanwhile.
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(work)


class Writers:
    """Which requests of this process are writing, so that a newer one can end a stale one.

    A client whose connection broke comes back at once, and the server may not have noticed yet.
    """

    def __init__(self) -> None:
        self._active: dict[str, tuple[anyio.CancelScope, asyncio.Event]] = {}

    @asynccontextmanager
    async def writing(self, upload_id: str) -> AsyncIterator[None]:
        """Mark an upload as being written to by the block that follows.

        Raises:
            ProblemError: It is already, or `interrupt` ended the block; status 423.
        """
        if upload_id in self._active:
            raise _busy()
        ended = asyncio.Event()
        with anyio.CancelScope() as scope:
            self._active[upload_id] = (scope, ended)
            try:
                yield
            finally:
                del self._active[upload_id]
                ended.set()
        if scope.cancelled_caught:
            raise _busy()

    async def interrupt(self, upload_id: str) -> None:
        """End the request that writes to an upload, if there is one; what it has written stays.

        Raises:
            ProblemError: It does not end; status 423.
        """
        if upload_id not in self._active:
            return
        scope, ended = self._active[upload_id]
        scope.cancel()
        try:
            async with asyncio.timeout(_INTERRUPT_TIMEOUT_S):
                await ended.wait()
        except TimeoutError:
            raise _busy() from None


async def append_body(
    file: UploadFile, pieces: AsyncIterator[bytes], *, room: int, checksum: Checksum | None
) -> None:
    """Append a body to a file; what arrived stays if it breaks off, unless a checksum is due.

    Args:
        file: Where to.
        pieces: The body.
        room: How many bytes it may have.
        checksum: What it must have; None: none was given.

    Raises:
        BodyCutError: The client is gone.
        ProblemError: The body is too long, too slow, no longer allowed, or has another checksum, or
            the disk is full; status 413, 408, 401, 460 or 507.
    """
    begun_at = file.size
    writer = BlockWriter(file, algorithm=checksum.algorithm if checksum is not None else "")
    complete = False
    try:
        async for piece in pieces:
            if writer.size - begun_at + len(piece) > room:
                raise ProblemError("too-large", "the body goes beyond the length of the upload")
            await writer.add(piece)
        complete = True
    finally:
        try:
            await writer.finish()
        finally:
            if checksum is not None and not (complete and writer.digest == checksum.digest):
                file.cut(begun_at)
    if checksum is not None and writer.digest != checksum.digest:
        raise ProblemError("checksum-mismatch", f"the body has another {checksum.algorithm}")


def _busy() -> ProblemError:
    return ProblemError(
        "upload-busy", "another request writes to this upload", headers={"Retry-After": "1"}
    )
