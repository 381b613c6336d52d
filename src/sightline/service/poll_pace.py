"""When clients that poll are to ask again, so that answering all of them costs the jobs little.

It advises, and refuses nobody: that is the rate limiter's.
"""

from __future__ import annotations

import math
from threading import Lock

__all__ = ["PollPace"]


class PollPace:
    """A leaky bucket of questions, whose level says when to ask again. For any number of threads.

    Every question adds one, and `per_second` of them leak out. As long as clients ask at all more
    seldom than that, each may do so when it likes; N clients that would ask more often are told to
    come back every N / `per_second` seconds, and then ask just as often as they may together.

    Args:
        per_second: Questions of all clients together.
        longest_s: No client is told to wait longer because of others.

    >>> pace = PollPace(per_second=20.0)
    >>> {pace.ask_again_s(2, now_s=0.0) for _ in range(30)}
    {2}
    >>> [pace.ask_again_s(2, now_s=0.0) for _ in range(170)][-1]
    10
    """

    def __init__(self, per_second: float, *, longest_s: int = 15) -> None:
        self._per_second = per_second
        self._most = longest_s * per_second
        self._level = 0.0
        self._at_s = -math.inf
        self._lock = Lock()

    def ask_again_s(self, wanted_s: int, *, now_s: float) -> int:
        """Take a question, and tell in how many seconds to ask again: at least `wanted_s`.

        Args:
            wanted_s: What would be right if nobody else asked.
            now_s: A clock that never goes back.
        """
        with self._lock:
            leaked = max(0.0, now_s - self._at_s) * self._per_second
            self._level = min(max(0.0, self._level - leaked) + 1, self._most)
            self._at_s = now_s
            return max(wanted_s, math.ceil(self._level / self._per_second))
