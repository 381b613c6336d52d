"""Server-sent events as a service sends them (WHATWG HTML, section 9.2), as their bytes come."""

from __future__ import annotations

import codecs
import io
import json
from typing import TYPE_CHECKING

from sightline.client.answers import parse_job
from sightline.errors import ServiceError

if TYPE_CHECKING:
    from sightline.client.answers import RemoteJob

__all__ = ["EventReader"]

_MOST_SHOWN = 80


class EventReader:
    r"""Puts the bytes of one connection together to events.

    Lines end with \n, \r\n or \r only. The sign U+2028, say, which ends a line for `str.splitlines`
    and for httpx, may be part of a name.

    >>> reader = EventReader()
    >>> reader.feed(b"event: done\n: a comment\n")
    []
    """

    def __init__(self) -> None:
        # It keeps back a \r at the end of what came: a \n that follows is part of that line end.
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder("utf-8-sig")("replace"), translate=True
        )
        self._line = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[RemoteJob]:
        """Take what comes next, cut anywhere; return the jobs of the events that it completes.

        Raises:
            ServiceError: The data of an event are no job.
        """
        *lines, self._line = (self._line + self._decoder.decode(data)).split("\n")
        return [job for job in map(self._take, lines) if job is not None]

    def _take(self, line: str) -> RemoteJob | None:
        """Take a line without its end; return the job if the line completes an event with one."""
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = "\n".join(self._data), []
        return _parse(data) if data else None


def _parse(data: str) -> RemoteJob:
    try:
        document = json.loads(data)
    except ValueError as error:
        came = repr(data[:_MOST_SHOWN])
        raise ServiceError(f"the service sent an event that is no job: {came}") from error
    return parse_job(document)
