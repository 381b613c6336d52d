"""Recorded video as jobs: what a job is, its store, its chunks, and what workers do with them.

It knows no HTTP. Jobs and tasks are rows of a store, which alone is the truth; workers take tasks
from it, and whatever is killed, the next one finds there what is to be done.
"""

__all__: list[str] = []
