"""Opens sections of a video, also where it is damaged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.media.files import open_file
from sightline.media.index import index_file
from sightline.media.section import EntryLostError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.media.container import ContainerSource
    from sightline.media.options import SourceOptions
    from sightline.media.section import Section

__all__ = ["open_section"]


def open_section(path: Path, section: Section, *, options: SourceOptions) -> ContainerSource:
    """Open a video file to read the frames of a section, as a read of the whole yields them.

    Where its entry point is damaged, decoding starts at an earlier one, if need be at the beginning
    of the video. Frames that depend on damaged ones are guessed from all that was decoded before,
    so that they may look otherwise than in a read of the whole, or be there where that lost them;
    frames that do not depend on them are the same. Losses are those of the section. It may turn
    out to have no frames, if all are lost; its width and height are those that the container
    states, then.

    Args:
        path: The file.
        section: Which frames.
        options: How to open it; without a range.

    Raises:
        MediaError: It is not a video that can be decoded.
        OSError: The file cannot be read.
    """
    try:
        return open_file(path, options=replace(options, section=section))
    except EntryLostError:
        pass
    entries = index_file(path, options=options).entries
    earlier = [int(pts) for pts in entries if pts < (section.entry_pts or 0)]
    for entry_pts in reversed(earlier):
        try:
            other = replace(section, entry_pts=entry_pts)
            return open_file(path, options=replace(options, section=other))
        except EntryLostError:
            continue
    return open_file(path, options=replace(options, section=replace(section, entry_pts=None)))
