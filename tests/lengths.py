"""How long tests go on: in CI as long as it takes to fail, on request much longer."""

import os

import pytest

__all__ = ["long_only", "short_or_long", "variants"]

_IS_LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"

long_only = pytest.mark.skipif(not _IS_LONG, reason="SIGHTLINE_TEST_LONG=1 runs it")
"""For tests of minutes whose parts have shorter tests of their own."""


def short_or_long(short, long):
    """Choose a number of frames, seconds, seeds or kills; `SIGHTLINE_TEST_LONG=1` is for long."""
    return long if _IS_LONG else short


def variants(first, *others):
    """List what slow tests are tried with: the first alone, unless there is time for all."""
    return short_or_long([first], [first, *others])
