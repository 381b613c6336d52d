"""Sets the wall clock of a Python process wrong: its folder on PYTHONPATH, SHIFTED_CLOCK_S seconds.

What the interpreter imports at its start; no other module has asked for the time by then.
"""

import os
import time

_right = time.time
_ahead_s = float(os.environ["SHIFTED_CLOCK_S"])


def _wrong():
    return _right() + _ahead_s


time.time = _wrong
