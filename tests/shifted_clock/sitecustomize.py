"""Sets the wall clock of a Python process wrong: its folder on PYTHONPATH, SHIFTED_CLOCK_S seconds.

What the interpreter imports at its start; no other module has asked for the time by then.
"""

import os
import time

_right, _right_ns = time.time, time.time_ns
_ahead_s = float(os.environ["SHIFTED_CLOCK_S"])


def _wrong():
    return _right() + _ahead_s


def _wrong_ns():
    return _right_ns() + round(_ahead_s * 1e9)


time.time, time.time_ns = _wrong, _wrong_ns
