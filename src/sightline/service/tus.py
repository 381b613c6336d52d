"""Resumable uploads: the routes of the tus protocol, version 1.0.0 (https://tus.io/protocols).

Core, and the extensions creation, creation-with-upload, termination, expiration and checksum.

    POST   /v1/uploads       Upload-Length, Upload-Metadata: filename …   201, Location
    HEAD   /v1/uploads/ID                                                 200, Upload-Offset
    PATCH  /v1/uploads/ID    Upload-Offset, the bytes from there on       204, Upload-Offset
    DELETE /v1/uploads/ID                                                 204
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sightline.service.appending import CHECKSUMS, Checksum, Writers, append_body
from sightline.service.auth import Authenticator, writes
from sightline.service.body import BodyCutError, received
from sightline.service.problems import ProblemError
from sightline.service.uploads import Upload, Uploads

__all__ = ["tus_router"]

_VERSION = "1.0.0"
_EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
_BODY_TYPE = "application/offset+octet-stream"
_MOST_DIGITS = 18
_PATH = "/v1/uploads"


def tus_router(uploads: Uploads, authenticator: Authenticator) -> APIRouter:
    """Make the routes `/v1/uploads` and `/v1/uploads/{upload_id}`.

    They are left out of the OpenAPI document: the protocol describes them, and clients of it
    speak to them.

    Args:
        uploads: Keeps the uploads.
        authenticator: Tells of whoever sends a body whether that is still allowed.
    """
    routes = _Tus(uploads, authenticator)
    router = APIRouter(prefix=_PATH, include_in_schema=False)
    router.add_api_route("", routes.create, methods=["POST"])
    router.add_api_route("", routes.describe, methods=["OPTIONS"])
    one = "/{upload_id}"
    router.add_api_route(one, routes.look, methods=["HEAD"])
    router.add_api_route(one, routes.append, methods=["PATCH"])
    router.add_api_route(one, routes.remove, methods=["DELETE"])
    router.add_api_route(one, routes.describe, methods=["OPTIONS"])
    router.add_api_route(one, routes.overridden, methods=["POST"])
    return router


class _Tus:
    def __init__(self, uploads: Uploads, authenticator: Authenticator) -> None:
        self._uploads = uploads
        self._authenticator = authenticator
        self._writers = Writers()

    async def describe(self) -> Response:
        """Tell what is understood here."""
        headers = {
            "Tus-Resumable": _VERSION,
            "Tus-Version": _VERSION,
            "Tus-Extension": _EXTENSIONS,
            "Tus-Max-Size": str(self._uploads.limits.upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        }
        return Response(status_code=204, headers=headers)

    async def create(self, request: Request) -> Response:
        """Begin an upload; a body is its beginning."""
        with _speaking_tus(request):
            owner = writes(request)
            if "upload-defer-length" in request.headers:
                raise ProblemError("malformed-request", "the length must be known: Upload-Length")
            length = _number(request, "upload-length")
            name = _file_name(request.headers.get("upload-metadata", ""))
            has_body = request.headers.get("content-type") == _BODY_TYPE
            checksum = _checksum(request) if has_body else None
            upload = await to_thread.run_sync(
                lambda: self._uploads.create(owner, length=length, name=name)
            )
            headers = _standing(upload, 0)
            if has_body:
                headers = await self._begin(request, upload, checksum)
            headers["Location"] = f"{_PATH}/{upload.id}"
            return Response(status_code=201, headers=headers)

    async def look(self, upload_id: str, request: Request) -> Response:
        """Tell how much is there; a request that still writes is ended: its client is back."""
        with _speaking_tus(request):
            upload = await to_thread.run_sync(self._uploads.get, upload_id, writes(request))
            await self._writers.interrupt(upload.id)
            offset = await to_thread.run_sync(self._uploads.offset, upload)
            headers = {
                "Upload-Length": str(upload.length),
                "Cache-Control": "no-store",
                **_standing(upload, offset),
            }
            if upload.name:
                name = base64.b64encode(upload.name.encode()).decode()
                headers["Upload-Metadata"] = f"filename {name}"
            return Response(status_code=200, headers=headers)

    async def append(self, upload_id: str, request: Request) -> Response:
        """Append the body."""
        with _speaking_tus(request):
            if request.headers.get("content-type") != _BODY_TYPE:
                raise ProblemError("unsupported-media-type", f"the body must be {_BODY_TYPE}")
            offset = _number(request, "upload-offset")
            checksum = _checksum(request)
            upload = await to_thread.run_sync(self._uploads.get, upload_id, writes(request))
            headers = await self._receive(request, upload, offset, checksum)
            return Response(status_code=204, headers=headers)

    async def remove(self, upload_id: str, request: Request) -> Response:
        """Remove the upload."""
        with _speaking_tus(request):
            upload = await to_thread.run_sync(self._uploads.get, upload_id, writes(request))
            await self._writers.interrupt(upload.id)
            await to_thread.run_sync(self._uploads.remove, upload)
            return Response(status_code=204, headers={"Tus-Resumable": _VERSION})

    async def overridden(self, upload_id: str, request: Request) -> Response:
        """Do what clients mean that can only send POST."""
        method = request.headers.get("x-http-method-override", "")
        routes = {"PATCH": self.append, "DELETE": self.remove, "HEAD": self.look}
        if method not in routes:
            raise ProblemError(
                "method-not-allowed",
                "POST is allowed with X-HTTP-Method-Override only",
                headers={"Allow": "DELETE, HEAD, OPTIONS, PATCH"},
            )
        return await routes[method](upload_id, request)

    async def _begin(
        self, request: Request, upload: Upload, checksum: Checksum | None
    ) -> dict[str, str]:
        """Receive the beginning of an upload; if that fails, nobody hears where the upload is."""
        try:
            return await self._receive(request, upload, 0, checksum)
        except (BodyCutError, ProblemError):
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._uploads.drop, upload.id)
            raise

    async def _receive(
        self, request: Request, upload: Upload, offset: int, checksum: Checksum | None
    ) -> dict[str, str]:
        """Append the body of a request; return headers that tell where the upload is then."""
        verify = checksum is not None
        async with self._writers.writing(upload.id):
            file = await to_thread.run_sync(lambda: self._uploads.open(upload, verify=verify))
            try:
                _check_offset(file.size, offset)
                room = _room(request, upload.length - offset)
                pieces = received(request.receive, self._uploads.limits.pace)
                allowed = self._authenticator.while_known(writes(request), pieces)
                await append_body(file, allowed, room=room, checksum=checksum)
            finally:
                try:
                    with anyio.CancelScope(shield=True):
                        settled = await to_thread.run_sync(self._uploads.settle, upload)
                finally:
                    file.close()
        return _standing(settled, file.size)


@contextmanager
def _speaking_tus(request: Request) -> Iterator[None]:
    """Check the version of the protocol, and name it in problems, too."""
    try:
        _check_version(request)
        yield
    except BodyCutError:
        raise ProblemError("malformed-request", "the body broke off") from None
    except ProblemError as problem:
        problem.headers["Tus-Resumable"] = _VERSION
        raise


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != _VERSION:
        raise ProblemError(
            "precondition-failed",
            f"this needs the header 'Tus-Resumable: {_VERSION}'",
            headers={"Tus-Version": _VERSION},
        )


def _standing(upload: Upload, offset: int) -> dict[str, str]:
    return {
        "Tus-Resumable": _VERSION,
        "Upload-Offset": str(offset),
        "Upload-Expires": formatdate(upload.expires_at, usegmt=True),
    }


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ProblemError("malformed-request", f"{name} must be a whole number, not {text!r}")
    return int(text)


def _check_offset(size: int, offset: int) -> None:
    if offset != size:
        raise ProblemError(
            "upload-offset",
            f"the upload is at {size}, not at {offset}",
            headers={"Upload-Offset": str(size)},
        )


def _room(request: Request, room: int) -> int:
    """Refuse a body whose length is known to be too much before it is read."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > _MOST_DIGITS or int(length) > room:
        raise ProblemError("too-large", f"{room} bytes are missing from the upload, not {length}")
    return room


def _file_name(metadata: str) -> str:
    """Read the file's name out of `Upload-Metadata`; "" where there is none.

    >>> _file_name("filetype dmlkZW8vbXA0,filename Z2F0ZS5tcDQ=")
    'gate.mp4'
    """
    names = ("filename", "name")
    for pair in filter(None, (part.strip() for part in metadata.split(","))):
        key, _, value = pair.partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode(errors="replace")
        except ValueError:
            raise ProblemError(
                "malformed-request", f"Upload-Metadata: {key} is not base64"
            ) from None
        if key in names:
            return text
    return ""


def _checksum(request: Request) -> Checksum | None:
    given = request.headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, value = given.partition(" ")
    if algorithm not in CHECKSUMS:
        raise ProblemError("malformed-request", f"Upload-Checksum: one of {', '.join(CHECKSUMS)}")
    try:
        return Checksum(algorithm=algorithm, digest=base64.b64decode(value, validate=True))
    except ValueError:
        raise ProblemError("malformed-request", "Upload-Checksum is not base64") from None
