"""Checking that options are numbers, before they are compared with anything."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

__all__ = ["check_number", "check_whole_number"]


def check_number(name: str, value: Any) -> None:
    """Refuse what is no number; True and False are none.

    Raises:
        TypeError: It is none.

    >>> check_number("nms", 0.5)
    >>> check_number("nms", "high")
    Traceback (most recent call last):
    ...
    TypeError: nms must be a number, but is 'high'
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, but is {value!r}")


def check_whole_number(name: str, value: Any) -> None:
    """Refuse what is no whole number; True and False are none.

    Raises:
        TypeError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, but is {value!r}")
