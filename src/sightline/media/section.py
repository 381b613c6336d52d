"""A section of a video by timestamps, for readers that divide a video among them."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import MediaError

__all__ = ["EntryLostError", "Section"]


class EntryLostError(MediaError):
    """Decoding cannot start at an entry point: it is damaged, or not where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The frames of a video with `begin_pts <= pts < end_pts`.

    It is for videos whose index (`media.index`) names no doubt: those have timestamps that are
    delivered as they are, so that sections that touch have every frame between them exactly once.

    Attributes:
        begin_pts: In ticks of the stream; None: from the first frame.
        end_pts: In ticks of the stream; None: to the last frame.
        entry_pts: Timestamp of an entry point of the index, at `begin_pts` or earlier; decoding
            starts there. None: at the beginning of the video.
    """

    begin_pts: int | None = None
    end_pts: int | None = None
    entry_pts: int | None = None
