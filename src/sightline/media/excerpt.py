"""The pictures of a stream with their timestamps, all of them or those between two times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import av

from sightline.errors import MediaError
from sightline.media.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from av import VideoFrame

    from sightline.media.decoding import PictureReader
    from sightline.media.section import Section

__all__ = ["Excerpt", "PlacedPicture"]

PlacedPicture = tuple["VideoFrame", int]
"""A picture and its timestamp."""

_JUMP_S = 1
_SLACK_S = 0.5
_STEPS_BACK_S = (0, 2, 8, 32, 128)
_BEFORE_EVERYTHING_S = 10


class Excerpt:
    """Puts the pictures of a stream on a timeline and leaves out those that are not asked for.

    Args:
        reader: Where the pictures come from.
        time_base: Seconds per tick.
        frame_rate: Nominal frames per second, for pictures without a timestamp.

    Attributes:
        cut: There is more in the stream after the end of the excerpt.
    """

    def __init__(
        self, reader: PictureReader, *, time_base: Fraction, frame_rate: Fraction | None
    ) -> None:
        self.cut = False
        self._reader = reader
        self._time_base = time_base
        self._timeline = Timeline(
            step=round(1 / (frame_rate * time_base)) if frame_rate else 1,
            jump=math.ceil(_JUMP_S / time_base),
        )
        self._begin: float = -math.inf
        self._end: float = math.inf
        self._sectioned = False
        self._ready: list[PlacedPicture] = []
        self._last: int | None = None
        self._widest_gap = 0

    def read(self) -> list[PlacedPicture] | None:
        """Read a little further; return the pictures that are ready, or None after the last.

        Raises:
            av.FFmpegError: The connection or device of a live stream failed.
        """
        if self._ready:
            ready, self._ready = self._ready, []
            return ready
        pictures = None if self.cut else self._reader.read()
        return None if pictures is None else self._select(pictures)

    def narrow(self, first: list[PlacedPicture], start_s: float, end_s: float | None) -> None:
        """Leave out what is shown before `start_s` and from `end_s` on.

        Args:
            first: The first pictures that were read; times count from the very first.
            start_s: Seconds.
            end_s: Seconds; None: everything to the end.

        Raises:
            MediaError: The container cannot be searched; the message is the cause alone.
        """
        pictures, origin = [picture for picture, _ in first], first[0][1]
        self._begin = origin + math.ceil(start_s / self._time_base)
        self._end = math.inf if end_s is None else origin + math.ceil(end_s / self._time_base)
        if self._begin > origin and pictures[0].pts is not None:
            pictures = self._search(origin)
        self._timeline.restart()
        self._ready = self._select(pictures)

    def confine(self, section: Section) -> bool:
        """Leave out what is not in a section; to be called first.

        Returns:
            False if decoding cannot start at the entry point: it is not found, or it is damaged,
            so that frames after it may be shown with other pixels than in a read from the
            beginning. Nothing can be read then.

        Raises:
            av.FFmpegError: The container cannot be read.
        """
        if not self._reader.confine(section):
            return False
        self._sectioned = True
        if section.begin_pts is not None:
            self._begin = section.begin_pts
        if section.end_pts is not None:
            self._end = section.end_pts
        return section.entry_pts is None or self._enter(section.entry_pts)

    def _enter(self, entry_pts: int) -> bool:
        """Read the picture of the entry point, past those that depend on what is before it."""
        while (pictures := self._reader.read()) is not None:
            for index, picture in enumerate(pictures):
                if picture.pts is None or picture.pts >= entry_pts:
                    self._ready = self._select(pictures[index:])
                    return picture.pts == entry_pts and not picture.is_corrupt
        return False

    @property
    def last_s(self) -> float:
        """Time of the last picture that was read; 0 before the first."""
        return float((self._last or 0) * self._time_base)

    def ends_before(self, promised_s: float) -> bool:
        """Whether the last picture is too early to be the last one of a stream that long."""
        slack_s = _SLACK_S + 2 * float(self._widest_gap * self._time_base)
        return self.last_s + slack_s < promised_s

    def _select(self, pictures: list[VideoFrame]) -> list[PlacedPicture]:
        selected = []
        for picture in pictures:
            pts = self._timeline.place(picture.pts, picture.dts)
            if pts >= self._end:
                self.cut = True
                if self._sectioned:
                    self._reader.leave()
                break
            if self._last is not None:
                self._widest_gap = max(self._widest_gap, pts - self._last)
            self._last = pts
            if pts >= self._begin:
                selected.append((picture, pts))
        return selected

    def _search(self, origin: int) -> list[VideoFrame]:
        """Find a place from which the first picture that decodes is not after the beginning.

        A key frame that is decoded before the wanted time may be shown after it, pictures that
        refer to the previous group may be skipped, and transport streams have no index: then
        the search goes on further back.
        """
        for target in self._places(origin):
            try:
                self._reader.seek(target)
            except av.FFmpegError:
                continue
            while (pictures := self._reader.read()) == []:
                pass
            if pictures and pictures[0].pts is not None and pictures[0].pts <= self._begin:
                return pictures
        raise MediaError("it cannot be searched")

    def _places(self, origin: int) -> Iterator[int]:
        for back_s in _STEPS_BACK_S:
            place = int(self._begin) - round(back_s / self._time_base)
            if place > origin:
                yield place
        yield origin - round(_BEFORE_EVERYTHING_S / self._time_base)
        yield origin
