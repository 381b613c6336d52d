"""One frame of a stream: its pixels, its place in time, and what stages found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from sightline.detections import Detections

__all__ = ["Buffers", "Frame", "Image"]

Image = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""Pixels: uint8, (H, W, 3) in BGR order or (H, W) gray."""

_NO_DETECTIONS = Detections.empty()
_NO_DATA: Mapping[str, Any] = MappingProxyType({})
_MAPPINGS = (dict, MappingProxyType, Mapping)
"""The usual ones first, which are recognised much faster."""


class Buffers(Protocol):
    """Memory that a runner grants for the images that stages make of a frame."""

    def allocate(self, shape: tuple[int, ...]) -> Image | None:
        """Give writable memory for one image; None if none is left, or none so large."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One frame of a stream. Frames are immutable; a stage returns a changed copy.

    Attributes:
        image: uint8, (H, W, 3) BGR or (H, W) gray; made read-only. The frame shares the memory.
        seq: Number of the frame in its stream: 0, 1, 2 … without gaps.
        pts: Presentation time in units of `time_base`, as in the container.
        time_base: Seconds per unit of `pts`.
        stream: Name of the stream.
        detections: Objects found so far; empty at first.
        data: Results of other stages by name; values must be plain (numbers, strings, lists,
            dicts, NumPy arrays) to travel between processes.
    """

    image: Image
    seq: int
    pts: int
    time_base: Fraction = Fraction(1, 1000)
    stream: str = ""
    detections: Detections = _NO_DETECTIONS
    data: Mapping[str, Any] = field(default_factory=lambda: _NO_DATA)
    _buffers: Buffers | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray):
            raise TypeError(f"image must be a NumPy array, but is a {type(image).__name__}")
        if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
            raise ValueError(
                "image must be uint8 of shape (H, W, 3) or (H, W), "
                f"but is {image.dtype} of shape {image.shape}"
            )
        found: Any = self.detections
        if not isinstance(found, Detections):
            raise TypeError(f"detections must be Detections, but are a {type(found).__name__}")
        data: Any = self.data
        if not isinstance(data, _MAPPINGS):
            raise TypeError(f"data must be a mapping, but are a {type(data).__name__}")
        if self.seq < 0:
            raise ValueError(f"seq must be 0 or more, but is {self.seq}")
        if image.flags.writeable:
            image = image.view()
            image.flags.writeable = False
            object.__setattr__(self, "image", image)

    @property
    def time_s(self) -> float:
        """Presentation time in seconds.

        >>> Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=500).time_s
        0.5
        """
        return float(self.pts * self.time_base)

    @property
    def width(self) -> int:
        """Width of the image in pixels."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """Height of the image in pixels."""
        return self.image.shape[0]

    def empty_image(self, shape: tuple[int, ...]) -> Image:
        """Make an image to draw on and to put into a copy of this frame.

        In a graph it lies in the shared memory granted for the result, so that nobody copies it
        again; what is written into an image made by other means has to be copied there.

        Args:
            shape: (H, W, 3) or (H, W).

        Returns:
            uint8 of that shape, C order, writable; it holds anything.

        >>> Frame(image=np.zeros((2, 2, 3), np.uint8), seq=0, pts=0).empty_image((4, 6)).shape
        (4, 6)
        """
        granted = None if self._buffers is None else self._buffers.allocate(shape)
        return np.empty(shape, np.uint8) if granted is None else granted

    def replace(self, **changes: Any) -> Frame:
        """Copy with some attributes replaced; the pixels are shared, not copied."""
        # Spelled out: dataclasses.replace takes a third longer, and every stage calls this.
        return Frame(
            **{
                "image": self.image,
                "seq": self.seq,
                "pts": self.pts,
                "time_base": self.time_base,
                "stream": self.stream,
                "detections": self.detections,
                "data": self.data,
                "_buffers": self._buffers,
                **changes,
            }
        )
