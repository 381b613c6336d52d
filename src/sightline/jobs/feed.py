"""The seam between the final pass and whoever knows which chunks are done."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ChunkFeed", "FeedEnd"]


class FeedEnd(Enum):
    """Why a feed has no more chunks."""

    COMPLETE = "every chunk of the job was given"
    CUT_SHORT = "the job ends early, and every chunk before the first unfinished one was given"


class ChunkFeed(Protocol):
    """Gives the results of a job's chunks in the order of the video, each as soon as it is there.

    Not used for a pipeline without stages that are done in chunks, but for `canceled`.
    """

    def next(self, *, timeout_s: float) -> Path | FeedEnd | None:
        """Give the result file of the next chunk.

        Args:
            timeout_s: Wait so long for it at most; 0: do not wait.

        Returns:
            Its path, once it is done; None if it is not yet; or why no more will come, which is
            for good.
        """

    @property
    def canceled(self) -> bool:
        """Whether the job was canceled, so that even what is finished is to be left.

        Asked often once the heartbeat has heard to wrap up, so it must cost next to nothing.
        """
