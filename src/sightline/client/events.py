"""Server-sent events as a service sends them (WHATWG HTML, section 9.2), line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sightline.client.answers import parse_job

if TYPE_CHECKING:
    from sightline.client.answers import RemoteJob

__all__ = ["EventReader"]


class EventReader:
    """Puts lines together to events.

    >>> reader = EventReader()
    >>> [reader.feed(line) for line in ("event: done", ": a comment")]
    [None, None]
    """

    def __init__(self) -> None:
        self._data: list[str] = []

    def feed(self, line: str) -> RemoteJob | None:
        """Take a line without its end; return the job if the line completes an event with one."""
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = "\n".join(self._data), []
        return parse_job(json.loads(data)) if data else None
