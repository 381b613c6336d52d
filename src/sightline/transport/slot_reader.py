"""Pixels that lie in slots of other processes: borrowed, written to, and recognised again.

It maps segments when they are first referred to. It does not know who owns a slot, nor when it
is released.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from sightline.errors import StaleSlotError
from sightline.transport.messages import Pixels, SlotRef
from sightline.transport.segment import Segment

if TYPE_CHECKING:
    from sightline.frame import Image

__all__ = ["Borrowed", "SlotReader", "locate"]

_UINT8 = np.dtype(np.uint8)
_UNUSED = 2  # references to an image that only its Borrowed holds: the attribute, the argument


class Borrowed:
    """An image in a slot, valid until the owner gives the slot out again.

    Attributes:
        image: uint8 (H, W, 3) or (H, W), read-only; it lies in the slot.
        ref: The slot.
    """

    __slots__ = ("_segment", "image", "ref")

    def __init__(self, image: Image, ref: SlotRef, segment: Segment) -> None:
        """For `SlotReader.borrow`."""
        self.image = image
        self.ref = ref
        self._segment = segment

    def is_current(self) -> bool:
        """Tell whether the slot still holds these pixels."""
        return self._segment.generation(self.ref.index) == self.ref.generation

    def in_use(self) -> bool:
        """Tell whether somebody besides this object holds the image or a view of it.

        Views, views of views and buffers of them all hold the image, which is their base.
        """
        return sys.getrefcount(self.image) > _UNUSED

    def copy(self) -> Image:
        """Copy the image out of the slot.

        Raises:
            StaleSlotError: The slot was given out again before the copy was complete.
        """
        image = self.image.copy()
        if not self.is_current():
            raise _stale(self.ref, self._segment)
        return image


class _Mapped(NamedTuple):
    segment: Segment
    lent: list[SlotRef | None]  # as what each slot was referred to last


class _Addresses(NamedTuple):
    starts: list[int]  # in ascending order
    mapped: list[_Mapped]


class SlotReader:
    """The segments that this process has mapped. For any number of threads; a context manager."""

    def __init__(self) -> None:
        self._mapped: dict[str, _Mapped] = {}
        self._addresses = _Addresses([], [])
        self._lock = threading.Lock()  # held while segments come and go, not to read

    def borrow(self, pixels: Pixels) -> Borrowed:
        """Show an image that lies in a slot, without copying it.

        Raises:
            StaleSlotError: The slot was given out again; its pixels are those of another frame.
            SharedMemoryError: The segment is gone, or the image is not inside the slot.
            ValueError: The image is in no slot.
        """
        ref = pixels.slot
        if ref is None:
            raise ValueError("these pixels are in no slot; they follow as a message part")
        segment = self._find(ref)
        image = segment.view(ref.index, pixels.shape, offset=pixels.offset)
        return Borrowed(image, ref, segment)

    def writable(self, ref: SlotRef, shape: tuple[int, ...]) -> Image:
        """Show a slot that was granted for output as a writable uint8 array of this shape.

        Raises:
            StaleSlotError: The slot was given out again.
            SharedMemoryError: The segment is gone, or the slot is too small.
        """
        return self._find(ref).view(ref.index, shape, writeable=True)

    def find(self, address: int, nbytes: int) -> tuple[SlotRef, int] | None:
        """Find the slot in which a range of this process's memory lies.

        Returns:
            The slot, as it was referred to last, and the offset of the range in bytes; None if the
            range does not lie in a slot that was borrowed or written to through this reader.
        """
        starts, mapped = self._addresses
        place = bisect_right(starts, address) - 1
        if place < 0:
            return None
        segment, lent = mapped[place]
        index, offset = divmod(address - starts[place], segment.slot_bytes)
        if index >= len(lent) or offset + nbytes > segment.slot_bytes:
            return None
        ref = lent[index]
        return None if ref is None else (ref, offset)

    def drop_gone(self) -> None:
        """Let go of segments whose owner has removed them; done whenever a new one is mapped."""
        with self._lock:
            self._keep([m for m in self._mapped.values() if m.segment.is_there()])

    def close(self) -> None:
        """Let go of all segments; images that were borrowed stay valid."""
        with self._lock:
            self._keep([])

    def _find(self, ref: SlotRef) -> Segment:
        """Return the segment of a slot that is still what the reference says."""
        segment, lent = self._mapped.get(ref.segment) or self._attach(ref.segment)
        if segment.generation(ref.index) != ref.generation:
            raise _stale(ref, segment)
        lent[ref.index] = ref
        return segment

    def _attach(self, name: str) -> _Mapped:
        with self._lock:
            mapped = self._mapped.get(name)
            if mapped is None:
                segment = Segment.attach(name)
                mapped = _Mapped(segment, [None] * segment.slots)
                others = [m for m in self._mapped.values() if m.segment.is_there()]
                self._keep([*others, mapped])
        return mapped

    def _keep(self, mapped: list[_Mapped]) -> None:
        # Readers that hold no lock see the old tables or the new ones.
        mapped = sorted(mapped, key=lambda m: m.segment.address)
        self._addresses = _Addresses([m.segment.address for m in mapped], mapped)
        self._mapped = {m.segment.name: m for m in mapped}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def locate(image: Image, reader: SlotReader) -> Pixels | None:
    """Return where an image lies, if it is in a slot already: then nobody needs to copy it.

    Args:
        image: Any image.
        reader: The reader through which the slot was borrowed or made writable.

    Returns:
        Its place; None if it lies elsewhere, is not uint8, not contiguous, or empty. The slot is
        that of an earlier frame where a stage kept an image of one, and may be stale then.
    """
    if not image.flags.c_contiguous or image.dtype != _UINT8 or not image.size:
        return None
    place = reader.find(image.__array_interface__["data"][0], image.nbytes)
    if place is None:
        return None
    ref, offset = place
    return Pixels(image.shape, ref, offset)


def _stale(ref: SlotRef, segment: Segment) -> StaleSlotError:
    return StaleSlotError(
        f"slot {ref.index} of {ref.segment!r} was given out again: generation {ref.generation} was "
        f"wanted, but it is {segment.generation(ref.index)}"
    )
