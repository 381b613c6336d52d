"""The scope of a stage: the one thing a runner must know to parallelise a pipeline safely."""

from enum import Enum

__all__ = ["Scope"]


class Scope(Enum):
    """What the result for one frame depends on.

    `STATELESS`: this frame alone (detect, convert, blur). A runner may process frames in any
    order, on many threads, processes and machines.

    `STREAM`: the frames of one stream, in order (track, count, smooth). A runner processes each
    stream in one place, frame by frame, with a stage instance of its own.
    """

    STATELESS = "stateless"
    STREAM = "stream"
