"""How many processors there are to work with."""

import os

__all__ = ["limit_cores", "usable_cores"]

_limit: list[int] = []


def usable_cores() -> int:
    """Count the cores that this process may run on; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min([cores, *_limit])


def limit_cores(most: int | None) -> None:
    """Have `usable_cores` count no more than so many in this process; None: as many as there are.

    For processes that share the machine with others of their kind. It holds for what is opened
    from now on.
    """
    if most is not None and most < 1:
        raise ValueError(f"a process needs at least 1 core, but is limited to {most}")
    _limit[:] = [] if most is None else [most]
