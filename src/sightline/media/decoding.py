"""Reads the pictures of one video stream in presentation order and keeps account of the damage.

It drives demuxer and decoder and knows when to go on after an error. It does not know files,
frames or threads: one caller at a time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import av

from sightline.media.losses import LossLog, PacketLedger

if TYPE_CHECKING:
    from fractions import Fraction

    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

__all__ = ["PictureReader"]

_EVERY_PACKET_SHOWS = frozenset({"av1", "h264", "hevc", "libdav1d", "vp9"})
"""Decoders that may leave out a picture without an error, and whose packets all show one. Of the
others, some have packets that show nothing (VP8, MPEG-4 in AVI), and the rest complain."""

_GENERATE_PTS = 0x0001  # AVFMT_FLAG_GENPTS
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
        self._container = container
        self._stream = stream
        self._time_base = time_base
        self._live = live
        self._codec = stream.codec_context
        self._codec.options = {"max_pixels": str(max_pixels)}
        _set_threads(self._codec, live=live)
        accountable = self._codec.codec.name in _EVERY_PACKET_SHOWS
        self._ledger = PacketLedger() if accountable else None
        # Left on, it numbers the packets of AVI in decoding order, which is wrong with B-frames.
        container.flags &= ~_GENERATE_PTS
        self._demuxer = container.demux(stream)
        self._read_since_error = True
        self._ended = False

    def read(self) -> list[VideoFrame] | None:
        """Read one packet; return the pictures that are complete now, or None after the last.

        Raises:
            av.FFmpegError: The connection or device of a live stream failed.
        """
        if self._ended:
            return None
        packet = self._next_packet()
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
        self._container.seek(pts, stream=self._stream)
        self._demuxer = self._container.demux(self._stream)
        self._ended = False
        if self._ledger:
            self._ledger.rest()

    def _next_packet(self) -> Packet[VideoStream] | None:
        """Read on after an error, unless nothing was read since the last one."""
        while True:
            try:
                packet = next(self._demuxer, None)
            except av.FFmpegError as error:
                if self._live and not isinstance(error, av.error.InvalidDataError):
                    raise
                self.log.packet_rejected(None)
                if not self._read_since_error:
                    return None
                self._read_since_error = False
                self._demuxer = self._container.demux(self._stream)
            else:
                self._read_since_error = True
                return packet

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Decode a packet; None: the pictures that the decoder still holds."""
        damaged, time = False, None
        if packet is not None:
            damaged, time = packet.is_corrupt, packet.pts if packet.pts is not None else packet.dts
            if self._ledger and not packet.is_discard:  # an edit list may discard packets
                self._ledger.sent(packet.pts)
        try:
            pictures = self._codec.decode(packet)
        except av.FFmpegError:
            damaged = True
            pictures = []
        if damaged:
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

    def _time_s(self, pts: int | None) -> float | None:
        return None if pts is None else float(pts * self._time_base)


def _set_threads(codec: VideoCodecContext, *, live: bool) -> None:
    """Decode small pictures in the calling thread, which is fast enough, and large ones in a few.

    Threads that decode several pictures at once cost a quarter more processor time at 480x360 and
    hold pictures back, which a live stream must not.
    """
    codec.thread_type = "SLICE" if live else "FRAME"
    large = codec.width * codec.height > _SMALL_PIXELS
    codec.thread_count = min(_MOST_THREADS, os.cpu_count() or 1) if large else 1
