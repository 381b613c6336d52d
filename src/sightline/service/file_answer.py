"""Files as answers: with ranges, `ETag`, `If-None-Match` and `If-Range`."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response

from sightline.service.headers import is_head
from sightline.service.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

__all__ = ["answer_file"]

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def answer_file(
    request: Request,
    path: Path,
    media_type: str,
    *,
    download: str | None = None,
    held: ExitStack | None = None,
) -> Response:
    """Answer with a file, or a range of it.

    Args:
        request: What was asked for.
        path: The file.
        media_type: What it is.
        download: The name under which a browser is to save it; None: it may show it.
        held: What keeps the file in its place; closed when the answer was sent. If there is none
            to send, it stays the caller's.

    Raises:
        ProblemError: There is no such file, or the range lies outside of it; status 404 or 416.
    """
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise ProblemError("no-result", "there is no such file, or not any more") from error
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if etag in map(str.strip, known.split(",")) or known.strip() == "*":
        return Response(status_code=304, headers=headers)
    answer = _File(
        path, media_type=media_type, filename=download, stat_result=stat, headers=headers
    )
    if request.headers.get("if-range", etag) in (etag, answer.headers["last-modified"]):
        answer.takes_range = _takes_range(request.headers.get("range"), stat.st_size)
    if held is not None:
        answer.held = held.pop_all()
    return answer


class _File(FileResponse):
    """Knows a HEAD that looks like GET, and leaves ranges out that nobody has to understand."""

    takes_range = False
    held: ExitStack | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_head(scope):
            scope = {**scope, "method": "HEAD"}
        if not self.takes_range:
            others = [pair for pair in scope["headers"] if pair[0] != b"range"]
            scope = {**scope, "headers": others}
        with self.held or ExitStack():
            await super().__call__(scope, receive, send)


def _takes_range(header: str | None, size: int) -> bool:
    """Tell whether a `Range` is one that is answered; several and malformed ones are ignored.

    Raises:
        ProblemError: It lies outside of the file.

    >>> _takes_range("bytes=0-99", 10), _takes_range("bytes=0-1,4-5", 10), _takes_range(None, 10)
    (True, False, False)
    """
    match = _ONE_RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return False
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return False
    if (int(first) >= size) if first else (int(last) == 0 or size == 0):
        raise ProblemError(
            "range-not-satisfiable",
            f"the file has {size} bytes",
            headers={"content-range": f"bytes */{size}"},
        )
    return True
