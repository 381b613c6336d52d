"""How long tests of endurance go on: in CI as long as it takes to fail, on request much longer."""

import os

__all__ = ["short_or_long"]

_IS_LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"


def short_or_long(short, long):
    """Choose a number of frames, seconds, seeds or kills; `SIGHTLINE_TEST_LONG=1` is for long."""
    return long if _IS_LONG else short
