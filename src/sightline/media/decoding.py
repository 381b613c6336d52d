"""Reads the pictures of one video stream in presentation order and keeps account of the damage.

It drives demuxer and decoder and knows when to go on after an error. It does not know files,
frames or threads: one caller at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import av

from sightline.media.demuxing import PacketReader
from sightline.media.losses import LossLog, PacketLedger
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from fractions import Fraction

    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

    from sightline.media.section import Section

__all__ = ["PictureReader"]

_EVERY_PACKET_SHOWS = frozenset({"av1", "h264", "hevc", "libdav1d", "vp9"})
"""Decoders that may leave out a picture without an error, and whose packets all show one. Of the
others, some have packets that show nothing (VP8, MPEG-4 in AVI), and the rest complain."""

_SMALL_PIXELS = 1280 * 720
_MOST_THREADS = 4


class PictureReader:
    """The pictures of one video stream.

    Args:
        container: Where to read; its owner closes it.
        stream: The video stream; it has a decoder.
        time_base: Seconds per tick of the stream.
        live: The stream comes over a network or from a device: an error ends it, and no picture
            is held back for the sake of speed.
        max_pixels: Pictures larger than this are not decoded.

    Attributes:
        log: What was lost so far.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        time_base: Fraction,
        live: bool,
        max_pixels: int,
    ) -> None:
        self.log = LossLog()
        self._time_base = time_base
        self._codec = stream.codec_context
        self._codec.options = {"max_pixels": str(max_pixels)}
        _set_threads(self._codec, live=live)
        accountable = self._codec.codec.name in _EVERY_PACKET_SHOWS
        self._ledger = PacketLedger() if accountable else None
        self._packets = PacketReader(container, stream, log=self.log, live=live)
        self._begin: float = -math.inf
        self._end: float = math.inf
        self._ended = False

    def read(self) -> list[VideoFrame] | None:
        """Read one packet; return the pictures that are complete now, or None after the last.

        Raises:
            av.FFmpegError: The connection or device of a live stream failed.
        """
        if self._ended:
            return None
        packet = next(self._packets, None)
        if packet is not None:
            return self._decode(packet) if packet.size else []
        self._ended = True
        pictures = self._decode(None)
        if self._ledger:
            self.log.frames_missing(self._ledger.rest(), None)
        return pictures

    def seek(self, pts: int) -> None:
        """Go on reading at a key frame that is shown at `pts` or earlier, give or take.

        Raises:
            av.FFmpegError: The container cannot be searched.
        """
        self._packets.seek(pts)
        self._ended = False
        if self._ledger:
            self._ledger.rest()

    def confine(self, section: Section) -> bool:
        """Go on reading at the entry point of a section, and count only losses of its frames.

        Frames before and after it come out, too. False: the entry point is not found.
        """
        if section.begin_pts is not None:
            self._begin = section.begin_pts
        if section.end_pts is not None:
            self._end = section.end_pts
        if self._ledger:
            self._ledger = PacketLedger(first=section.begin_pts)
        return section.entry_pts is None or self._packets.find(
            section.entry_pts, time_base=self._time_base
        )

    def leave(self) -> None:
        """Count what is missing at the end of the section; nothing more is read."""
        self._ended = True
        if self._ledger:
            self.log.frames_missing(self._ledger.rest(), None)

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Decode a packet; None: the pictures that the decoder still holds."""
        damaged, time = False, None
        if packet is not None:
            damaged, time = packet.is_corrupt, packet.pts if packet.pts is not None else packet.dts
            # An edit list may discard packets.
            if self._ledger and not packet.is_discard and self._is_wanted(packet.pts):
                self._ledger.sent(packet.pts)
        try:
            pictures = self._codec.decode(packet)
        except av.FFmpegError:
            damaged = True
            pictures = []
        if damaged and self._is_wanted(time):
            self.log.packet_rejected(self._time_s(time))
        for picture in pictures:
            self._settle(picture)
        return pictures

    def _settle(self, picture: VideoFrame) -> None:
        """Account for a picture that came out of the decoder."""
        if picture.interlaced_frame:
            self._ledger = None  # each field of a picture may have a packet of its own
        if self._ledger and (missing := self._ledger.shown(picture.pts)):
            self.log.frames_missing(missing, self._time_s(picture.pts))

    def _is_wanted(self, time: int | None) -> bool:
        return time is None or self._begin <= time < self._end

    def _time_s(self, pts: int | None) -> float | None:
        return None if pts is None else float(pts * self._time_base)


def _set_threads(codec: VideoCodecContext, *, live: bool) -> None:
    """Decode small pictures in the calling thread, which is fast enough, and large ones in a few.

    Threads that decode several pictures at once cost a quarter more processor time at 480x360 and
    hold pictures back, which a live stream must not.
    """
    codec.thread_type = "SLICE" if live else "FRAME"
    large = codec.width * codec.height > _SMALL_PIXELS
    codec.thread_count = min(_MOST_THREADS, usable_cores()) if large else 1
