"""The name of a file as its server gives it: read leniently, never trusted, never a failure.

`email.message` is not used for it: it decodes by whatever codec the header names, raises half a
dozen exceptions on headers that contradict themselves, and takes seconds for a long one.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["filename_of"]

_LONGEST = 200

# RFC 6266; the encodings are those of RFC 5987. No pattern looks at a character twice.
_ENCODED = re.compile(
    r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[a-z0-9-]*'([^\s;]+)", re.ASCII | re.IGNORECASE
)
_PLAIN = re.compile(
    r';\s*filename\s*=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s;"]+))', re.ASCII | re.IGNORECASE
)


def filename_of(disposition: str, target: str) -> str:
    r"""Name a file by `Content-Disposition`, or else by the end of its path.

    >>> filename_of("attachment; filename*=UTF-8''caf%C3%A9.mp4", "/download?id=1")
    'café.mp4'
    >>> filename_of("attachment; filename*=klingon''x", "/a/some%20name.mp4?token=1")
    'some name.mp4'

    Args:
        disposition: Value of the header; "" if there is none.
        target: Path and query that were asked for.

    Returns:
        Printable text without folders; may be "".
    """
    given = _given(disposition) or unquote(target.partition("?")[0])
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable())[:_LONGEST].strip(". ")


def _given(disposition: str) -> str:
    if match := _ENCODED.search(disposition):
        return unquote(match[2], encoding=match[1], errors="replace")
    if match := _PLAIN.search(disposition):
        quoted, bare = match.groups()
        return bare or quoted.replace(r"\\", "\\").replace(r"\"", '"')
    return ""
