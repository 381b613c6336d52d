"""A source of frames that are already in memory."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sightline.frame import Frame, Image
from sightline.stream import Losses, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ListSource"]


class ListSource:
    """Yields given images as the frames of a stream.

    Args:
        images: uint8, (H, W, 3) BGR or (H, W) gray; at least one.
        name: Name of the stream.
        frame_rate: Frames per second; `pts` counts frames.
    """

    def __init__(
        self,
        images: Sequence[Image],
        name: str = "list",
        *,
        frame_rate: Fraction = Fraction(25),
    ) -> None:
        height, width = images[0].shape[:2]
        self.info = StreamInfo(
            name=name,
            width=width,
            height=height,
            time_base=1 / frame_rate,
            frame_rate=frame_rate,
            frame_count=len(images),
            duration_s=float(len(images) / frame_rate),
        )
        self.losses = Losses()
        self.closed = False
        self._images = images

    def frames(self) -> Iterator[Frame]:
        """Yield the images in order; ends early when closed."""
        for seq, image in enumerate(self._images):
            if self.closed:
                return
            yield Frame(
                image=image,
                seq=seq,
                pts=seq,
                time_base=self.info.time_base,
                stream=self.info.name,
            )

    def close(self) -> None:
        """End a running `frames()`."""
        self.closed = True
