"""What viewers can learn of one stream: counters, and the newest picture if somebody wants it.

    writer's thread                          server's thread
    put(frame) ── counts
        └─ wanted? ── copies the image ──► picture ── newest() encodes it once for all viewers
              ▲                                            │
              └────────────────── want() ◄── a viewer is ready and has seen the newest

A frame is copied only when a viewer stands ready for it: who reads slowly, or not at all, costs
the writer nothing. It knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from sightline.live.pictures import PictureSettings, copy_to_fit, encode_jpeg
from sightline.live.rate import RecentRate

if TYPE_CHECKING:
    from sightline.frame import Frame, Image
    from sightline.stream import StreamInfo

__all__ = ["Audience", "Feed"]

_PLAIN = PictureSettings()


class Audience(Protocol):
    """Somebody to tell that a feed has something new."""

    def notify(self) -> None:
        """Return at once; called from the writer's thread."""


class Feed:
    """The public side of one stream, between one writer and any number of viewers.

    `put` and `end` belong to the writer's thread, `want` and `newest` to the server's.

    Args:
        stream: The stream.
        serial: Tells feeds of one name apart, as when a stream is started again.
        settings: What the pictures are like.

    Attributes:
        stream: The stream.
        name: Its name as text that can be shown and put into an address.
        number: Number of the newest picture, from 1; 0 before the first.
        ended: Whether the stream is over.
    """

    def __init__(
        self, stream: StreamInfo, *, serial: int = 0, settings: PictureSettings = _PLAIN
    ) -> None:
        self.stream = stream
        self.name = stream.name.encode(errors="replace").decode()
        self.number = 0
        self.ended = False
        self._serial = serial
        self._settings = settings
        self._lock = threading.Lock()
        self._audience: set[Audience] = set()
        self._rate = RecentRate()
        self._frames = 0
        self._size = (stream.width, stream.height)
        self._last_s: float | None = None
        self._wanted = False
        self._due_s = 0.0
        self._picture: Image | None = None
        self._encoded: tuple[int, bytes] = (0, b"")

    def put(self, frame: Frame, now_s: float) -> None:
        """Count a frame; copy its image if a viewer waits for it and the last is long enough ago.

        Args:
            frame: The frame; its image is not used after the return.
            now_s: Now, by a clock that never goes back.
        """
        with self._lock:
            self._frames += 1
            self._rate.add(now_s)
            self._size = (frame.width, frame.height)
            self._last_s = now_s
        if self._wanted and now_s >= self._due_s and frame.image.size:
            interval_s = 1 / self._settings.max_rate
            # Counting on from when it was due keeps the rate: 25 of 30 frames, not every other.
            self._due_s = max(self._due_s, now_s - interval_s) + interval_s
            self._wanted = False
            self._show(frame.image)

    def _show(self, image: Image) -> None:
        width = self._settings.max_width
        picture = copy_to_fit(image) if width is None else copy_to_fit(image, width=width)
        with self._lock:
            self._picture = picture
            self.number += 1
        self._tell()

    def end(self) -> None:
        """Say that no further frame will come."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            audience = tuple(self._audience)
        for somebody in audience:
            somebody.notify()

    def attach(self, somebody: Audience) -> None:
        """Count and notify somebody from now on."""
        with self._lock:
            self._audience.add(somebody)

    def detach(self, somebody: Audience) -> None:
        """Forget somebody."""
        with self._lock:
            self._audience.discard(somebody)

    def want(self) -> None:
        """Ask for a newer picture than the newest: the next frame that is due."""
        self._wanted = True

    def newest(self) -> tuple[int, bytes]:
        """Encode the newest picture, once for all viewers.

        Returns:
            Its number and the JPEG; (0, b"") before the first picture.
        """
        with self._lock:
            number, picture = self.number, self._picture
            self._picture = None  # only its encoded form is needed from now on
        if picture is not None:
            self._encoded = (number, encode_jpeg(picture, self._settings.quality))
        return self._encoded

    def describe(self, now_s: float) -> dict[str, Any]:
        """State the counters as plain values, fit for JSON.

        Args:
            now_s: Now, by the clock of `put`.
        """
        with self._lock:
            age_ms = None if self._last_s is None else round((now_s - self._last_s) * 1e3, 1)
            return {
                "id": self._serial,
                "name": self.name,
                "width": self._size[0],
                "height": self._size[1],
                "frames": self._frames,
                "rate": round(self._rate.per_second(now_s), 2),
                "age_ms": age_ms,
                "viewers": len(self._audience),
            }
