"""JSON written piece by piece, so that no document is ever in memory as a whole."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["encode", "quote", "separators"]

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""Write a value as compact JSON.

Numbers that are known to be finite read the same in an f-string, which takes a third of the time.
"""


@lru_cache(maxsize=1024)
def quote(text: str) -> str:
    """Write a text that occurs again and again, such as the name of a class, as JSON.

    >>> quote("traffic light")
    '"traffic light"'
    """
    return encode(text)


def separators(first: str = "\n", others: str = ",\n") -> Iterator[str]:
    """Yield what stands before each item of an array or object, without end.

    >>> "".join(separator + item for separator, item in zip(separators("", ", "), "abc"))
    'a, b, c'
    """
    return chain([first], repeat(others))
