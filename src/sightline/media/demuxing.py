"""Reads the packets of one stream of a container, goes on after errors, and finds places in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from av import Packet, VideoStream
    from av.container import InputContainer

    from sightline.media.losses import LossLog

__all__ = ["PacketReader"]

_GENERATE_PTS = 0x0001  # AVFMT_FLAG_GENPTS
_STEPS_BACK_S = (0, 1, 4, 16, 64)


class PacketReader:
    """The packets of one stream in the order of the container.

    Args:
        container: Where to read; its owner closes it.
        stream: Which stream.
        log: Where packets go that the demuxer rejects.
        live: The stream comes over a network or from a device: an error ends it.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, log: LossLog, live: bool
    ) -> None:
        self._container = container
        self._stream = stream
        self._log = log
        self._live = live
        # Left on, it numbers the packets of AVI in decoding order, which is wrong with B-frames.
        container.flags &= ~_GENERATE_PTS
        self._demuxer = container.demux(stream)
        self._found: Packet[VideoStream] | None = None
        self._read_since_error = True

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        return self

    def __next__(self) -> Packet[VideoStream]:
        """Read on after an error, unless nothing was read since the last one.

        Raises:
            av.FFmpegError: The connection or device of a live stream failed.
        """
        if self._found is not None:
            found, self._found = self._found, None
            return found
        while True:
            try:
                packet = next(self._demuxer)
            except av.FFmpegError as error:
                if self._live and not isinstance(error, av.error.InvalidDataError):
                    raise
                self._log.packet_rejected(None)
                if not self._read_since_error:
                    raise StopIteration from None
                self._read_since_error = False
                self._demuxer = self._container.demux(self._stream)
            else:
                self._read_since_error = True
                return packet

    def seek(self, pts: int) -> None:
        """Go on reading at a key frame that is shown at `pts` or earlier, give or take.

        Raises:
            av.FFmpegError: The container cannot be searched.
        """
        self._container.seek(pts, stream=self._stream)
        self._demuxer = self._container.demux(self._stream)

    def find(self, pts: int, *, time_base: Fraction) -> bool:
        """Go on reading at exactly the key frame of that timestamp; False if it is not found.

        Containers without an index are searched give or take, so it may take several tries from
        further and further back.
        """
        for back_s in _STEPS_BACK_S:
            try:
                self.seek(pts - round(back_s / time_base))
                for packet in self._demuxer:
                    if packet.is_keyframe and packet.pts is not None and packet.pts >= pts:
                        break
                else:
                    continue
            except av.FFmpegError:
                continue
            if packet.pts == pts:
                self._found = packet
                return True
        return False
