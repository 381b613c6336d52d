"""Whether a process works on pixels where they lie in shared memory, or on copies of them.

Stages and sinks may keep images. What they keep must not change when its slot is used again, and
copying every image for those that keep none would be a waste. So the first image is a copy, to
see whether it is kept. If not, the following ones are lent as they lie, until one is kept: its
slot is given up, and from then on there are copies.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.frame import Image
    from sightline.transport.messages import Pixels, SlotRef
    from sightline.transport.slot_reader import Borrowed, SlotReader

__all__ = ["Copied", "Loans", "OutputSlot"]

_UNUSED = 2  # references to an image that only its owner here holds: the attribute, the argument


class _Way(Enum):
    TRYING = "copies, and a look at what becomes of them"
    LENDING = "images as they lie in their slots"
    COPYING = "copies"


class Copied:
    """An image of its own.

    Attributes:
        image: uint8, read-only.
    """

    __slots__ = ("image",)

    def __init__(self, image: Image) -> None:
        image.flags.writeable = False
        self.image = image

    def is_current(self) -> bool:
        """Tell whether these are still the right pixels; they are its own."""
        return True

    def in_use(self) -> bool:
        """Tell whether somebody besides this object holds the image or a view of it."""
        return sys.getrefcount(self.image) > _UNUSED


class OutputSlot:
    """Gives the slot that was granted for a new image to the first one that fits."""

    def __init__(self, loans: Loans, slot: SlotRef | None) -> None:
        self.is_lent = False
        self._loans = loans
        self._slot = slot
        self._image: Image | None = None

    def allocate(self, shape: tuple[int, ...]) -> Image | None:
        """Return a writable image, in the slot if images are lent; None if there is none."""
        slot, self._slot = self._slot, None
        if slot is None or int(np.prod(shape)) > slot.capacity:
            return None
        self._image, self.is_lent = self._loans.new_image(slot, shape)
        return self._image

    def in_use(self) -> bool:
        """Tell whether somebody besides this object holds the image or a view of it."""
        return self._image is not None and sys.getrefcount(self._image) > _UNUSED


class Loans:
    """Lends the images of one handler or lane, and notices which are kept. For one thread."""

    def __init__(self, reader: SlotReader) -> None:
        self._reader = reader
        self._way = _Way.TRYING

    def lend(self, pixels: Pixels) -> Borrowed | Copied:
        """Show an image that lies in a slot.

        Raises:
            StaleSlotError: The slot holds another image by now.
        """
        borrowed = self._reader.borrow(pixels)
        return borrowed if self._way is _Way.LENDING else Copied(borrowed.copy())

    def new_image(self, slot: SlotRef, shape: tuple[int, ...]) -> tuple[Image, bool]:
        """Make a writable image; tell whether it lies in the slot."""
        if self._way is _Way.LENDING:
            return self._reader.writable(slot, shape), True
        return np.empty(shape, np.uint8), False

    def settle(self, loans: Iterable[Borrowed | Copied | OutputSlot]) -> bool:
        """Learn from loans that should be back; return whether a slot is kept for good."""
        back = list(loans)
        kept = [loan for loan in back if loan.in_use()]
        if kept:
            self._way = _Way.COPYING
        elif back and self._way is _Way.TRYING:
            self._way = _Way.LENDING
        return any(_lies_in_slot(loan) for loan in kept)


def _lies_in_slot(loan: Borrowed | Copied | OutputSlot) -> bool:
    return loan.is_lent if isinstance(loan, OutputSlot) else not isinstance(loan, Copied)
