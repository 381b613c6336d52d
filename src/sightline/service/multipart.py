"""Forms with a file (`multipart/form-data`), whose file goes to the disk as it arrives.

The form's other parts are few and short, and kept in memory. The file's name is only told, and
never used. Nothing is kept of a form that breaks off or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sightline.service.appending import BlockWriter
from sightline.service.body import BodyCutError, received
from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

    from sightline.service.auth import Authenticator
    from sightline.service.owner import Owner
    from sightline.service.upload_file import UploadFile
    from sightline.service.uploads import Upload, Uploads

__all__ = ["ReceivedForm", "receive_multipart"]

_FILE_PART = "file"
_MOST_DIGITS = 18
_MOST_PARTS = 20
_MOST_FIELD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedForm:
    """What a form held.

    Attributes:
        fields: The parts that are no files.
        upload: The finished upload that holds the file; None: there was no part "file".
        sha256: Digest of the file, hexadecimal; "" without one.
    """

    fields: dict[str, str]
    upload: Upload | None
    sha256: str


async def receive_multipart(
    request: Request, uploads: Uploads, owner: Owner, *, authenticator: Authenticator
) -> ReceivedForm:
    """Receive a form with at most one file, in the part "file".

    The upload is to be claimed or dropped by the caller; otherwise it expires.

    Args:
        request: Has the form.
        uploads: Keeps the file.
        owner: Who sends it.
        authenticator: Tells whether the owner still may.

    Raises:
        ProblemError: The form is malformed, too large or too slow, its length is not told, the
            owner's key is revoked or quota used up, or the disk is full; status 400, 413, 408, 411,
            401, 429 or 507.
    """
    length = _length(request, uploads.most_bytes(owner))
    form = _Form(_boundary(request))
    receiver = _FileReceiver(uploads, owner, length=length)
    try:
        pieces = received(request.receive, uploads.limits.pace)
        async for piece in authenticator.while_known(owner, pieces):
            form.feed(piece)
            await receiver.take(form)
        if not form.ended:
            raise ProblemError("malformed-request", "the form is not complete")
        return await receiver.finish(form)
    except BodyCutError:
        raise ProblemError("malformed-request", "the form broke off") from None
    finally:
        with anyio.CancelScope(shield=True):
            await receiver.close()


class _FileReceiver:
    """Brings the file of a form to the disk; what was not finished is removed by `close`."""

    def __init__(self, uploads: Uploads, owner: Owner, *, length: int) -> None:
        self._uploads = uploads
        self._owner = owner
        self._length = length
        self._upload: Upload | None = None
        self._file: UploadFile | None = None
        self._writer: BlockWriter | None = None
        self._finished = False

    async def take(self, form: _Form) -> None:
        """Take what the form has of the file."""
        if form.file_name is not None and self._writer is None:
            await self._begin(form.file_name)
        for piece in form.taken_file_pieces():
            assert self._writer is not None
            await self._writer.add(piece)
            if self._writer.size > self._length:
                raise _too_large(f"an upload may have {self._length} bytes at most")

    async def finish(self, form: _Form) -> ReceivedForm:
        """Let the file count."""
        upload, writer = self._upload, self._writer
        if upload is None or writer is None:
            return ReceivedForm(fields=form.fields, upload=None, sha256="")
        await writer.finish()
        size = writer.size
        complete = await to_thread.run_sync(lambda: self._uploads.complete(upload, length=size))
        self._finished = True
        return ReceivedForm(fields=form.fields, upload=complete, sha256=writer.digest.hex())

    async def close(self) -> None:
        """Close the file, and remove it unless it counts."""
        if self._file is not None:
            self._file.close()
        if self._upload is not None and not self._finished:
            await to_thread.run_sync(self._uploads.remove, self._upload)

    async def _begin(self, name: str) -> None:
        uploads, owner, length = self._uploads, self._owner, self._length
        upload = await to_thread.run_sync(lambda: uploads.create(owner, length=length, name=name))
        self._upload = upload
        self._file = await to_thread.run_sync(lambda: uploads.open(upload, verify=True))
        self._writer = BlockWriter(self._file, algorithm="sha256")


class _Form:
    """Parses a form, piece by piece.

    Attributes:
        fields: The parts that are no files, as far as they are complete.
        file_name: What the client calls the file; None: it has not begun.
        ended: The form is complete.
    """

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self.ended = False
        self._file_pieces: list[bytes] = []
        self._parts = 0
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._name = ""
        self._value = bytearray()
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            ProblemError: It is malformed, or too large in its small parts; status 400 or 413.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def taken_file_pieces(self) -> list[bytes]:
        """Give what came of the file since the last call."""
        pieces, self._file_pieces = self._file_pieces, []
        return pieces

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _too_large(f"the form has more than {_MOST_PARTS} parts")
        self._disposition = b""
        self._value = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if not self._name or self._name in self.fields:
            raise _malformed("each part needs a name of its own")
        if self._name == _FILE_PART:
            if self.file_name is not None:
                raise _malformed("there may be one file")
            self.file_name = options.get(b"filename", b"").decode(errors="replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == _FILE_PART:
            self._file_pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) + sum(map(len, self.fields.values())) > _MOST_FIELD_BYTES:
            raise _too_large(f"the parts besides the file exceed {_MOST_FIELD_BYTES} bytes")

    def _on_part_end(self) -> None:
        if self._name == _FILE_PART:
            return
        try:
            self.fields[self._name] = self._value.decode()
        except UnicodeDecodeError:
            raise _malformed(f"the part {self._name!r} is not UTF-8") from None

    def _on_end(self) -> None:
        self.ended = True


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            "unsupported-media-type", "the body must be multipart/form-data with a boundary"
        )
    return boundary


def _length(request: Request, most: int) -> int:
    """Give the length of the body, which the file cannot exceed, nor what an upload may have."""
    text = request.headers.get("content-length", "")
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise ProblemError(
            "length-required", "a form needs Content-Length; send what has no known end by tus"
        )
    length = int(text)
    if length > most + _MOST_FIELD_BYTES:
        raise _too_large(f"an upload may have {most} bytes at most")
    return min(length, most)


def _too_large(detail: str) -> ProblemError:
    return ProblemError("too-large", detail)


def _malformed(detail: str) -> ProblemError:
    return ProblemError("malformed-request", f"the form cannot be read: {detail}")
