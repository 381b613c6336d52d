"""Counts what a source could not deliver and says it in sentences."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sightline.stream import Losses

__all__ = ["LossLog", "PacketLedger"]


@dataclass(slots=True)
class _Kind:
    """One kind of loss: how it is said, how often it happened, and when first."""

    one: str
    many: str
    count: int = 0
    first_s: float | None = None

    def sentence(self) -> str:
        what = f"1 {self.one}" if self.count == 1 else f"{self.count} {self.many}"
        return what if self.first_s is None else f"{what} (first at {self.first_s:.2f} s)"


class LossLog:
    """Keeps `Losses` and its messages up to date; the object stays the same all along."""

    def __init__(self) -> None:
        self.losses = Losses()
        self._packets = _Kind("packet was damaged", "packets were damaged")
        self._damaged = _Kind("frame was decoded with damage", "frames were decoded with damage")
        self._missing = _Kind("frame could not be decoded", "frames could not be decoded")
        self._truncated: str | None = None

    def packet_rejected(self, time_s: float | None) -> None:
        """The demuxer or decoder rejected a packet."""
        self.losses.corrupt_packets += 1
        self._add(self._packets, 1, time_s)

    def frame_damaged(self, time_s: float | None) -> None:
        """A frame is delivered, but parts of it are guessed."""
        self.losses.corrupt_frames += 1
        self._add(self._damaged, 1, time_s)

    def frames_missing(self, count: int, time_s: float | None) -> None:
        """Frames that are in the container are not delivered."""
        if count:
            self.losses.corrupt_frames += count
            self._add(self._missing, count, time_s)

    def truncated(self, sentence: str) -> None:
        """The container promises more than there is."""
        self.losses.truncated = True
        self._truncated = sentence
        self._rewrite()

    def _add(self, kind: _Kind, count: int, time_s: float | None) -> None:
        if not kind.count:
            kind.first_s = time_s
        kind.count += count
        self._rewrite()

    def _rewrite(self) -> None:
        kinds = (self._packets, self._damaged, self._missing)
        sentences = [kind.sentence() for kind in kinds if kind.count]
        self.losses.messages[:] = sentences + ([self._truncated] if self._truncated else [])


class PacketLedger:
    """Finds the packets that never became a frame, though the decoder did not complain.

    Frames leave the decoder in presentation order. So when a frame comes out, a packet that went
    in before that frame's packet and is to be shown earlier will not come any more. It holds no
    more packets than the decoder does. Packets shown before the first frame are not missed: a
    stream that starts between two key frames begins with some that nobody can decode.

    Args:
        first: Packets shown from here on are missed, also before the first frame; None: the first
            frame decides.

    >>> ledger = PacketLedger()
    >>> for pts in (0, 30, 10, 20):
    ...     ledger.sent(pts)
    >>> [ledger.shown(pts) for pts in (0, 20, 30)], ledger.rest()
    ([0, 1, 0], 0)
    """

    def __init__(self, *, first: int | None = None) -> None:
        self._first = first
        self._waiting: OrderedDict[int, None] = OrderedDict()

    def sent(self, pts: int | None) -> None:
        """A packet goes into the decoder."""
        if pts is not None:
            self._waiting[pts] = None

    def shown(self, pts: int | None) -> int:
        """A frame comes out; return the number of frames found missing before it."""
        if pts is None or pts not in self._waiting:
            return 0
        overtaken = []
        for other in self._waiting:
            if other == pts:
                break
            if other < pts:
                overtaken.append(other)
        for other in (*overtaken, pts):
            del self._waiting[other]
        if self._first is None:
            self._first = pts
        return sum(other >= self._first for other in overtaken)

    def rest(self) -> int:
        """Return the number of frames missing at the end, and start anew."""
        first = self._first
        missing = 0 if first is None else sum(pts >= first for pts in self._waiting)
        self._first = None
        self._waiting.clear()
        return missing
