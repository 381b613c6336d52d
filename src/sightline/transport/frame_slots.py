"""The slots of a source: those that frames come in, and those for the images that stages make.

Each kind keeps to slots of its own. They are used again in turn, so that what is touched of them
stays small enough for the caches of the processor: a new image is often smaller than its frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.transport.slot_pool import SlotPool

if TYPE_CHECKING:
    from sightline.frame import Image
    from sightline.transport.messages import SlotRef

__all__ = ["FrameSlots"]


class FrameSlots:
    """Slots for a number of frames under way. Used by one thread.

    Args:
        prefix: What the names of segments start with.
        frames: How many frames may be under way.
        outputs: Grant a second slot with every frame.
    """

    def __init__(self, prefix: str, *, frames: int, outputs: bool) -> None:
        self._output_prefix = f"{prefix}out-"
        self._inputs = SlotPool(f"{prefix}in-", slots=frames)
        self._outputs = SlotPool(self._output_prefix, slots=frames) if outputs else None
        self._pools = [pool for pool in (self._inputs, self._outputs) if pool is not None]

    @property
    def free(self) -> int:
        """How many frames can be taken now."""
        return min(pool.free for pool in self._pools)

    def lower(self, frames: int) -> None:
        """Have at most so many frames under way from now on; those that are stay so."""
        for pool in self._pools:
            pool.lower(frames)

    def holds(self, nbytes: int) -> bool:
        """Tell whether slots taken now hold `nbytes` bytes each, without another `fit`."""
        return all(pool.holds(nbytes) for pool in self._pools)

    def can_take(self, nbytes: int) -> bool:
        """Tell whether a frame of `nbytes` bytes can be taken now.

        For frames that are larger than those before, all slots have to be back: old and new ones
        together would be more memory than wanted.
        """
        return self.free > 0 and all(pool.can_fit(nbytes) for pool in self._pools)

    def fit(self, nbytes: int) -> None:
        """Make sure that slots taken from now on hold `nbytes` bytes each.

        Raises:
            SharedMemoryError: There is not enough shared memory.
        """
        for pool in self._pools:
            pool.fit(nbytes)

    def acquire(self) -> tuple[SlotRef, SlotRef | None] | None:
        """Take a slot for a frame, and one for what is made of it; None if there is none."""
        if self.free < 1 or (slot := self._inputs.acquire()) is None:
            return None
        return slot, None if self._outputs is None else self._outputs.acquire()

    def array(self, slot: SlotRef, shape: tuple[int, ...]) -> Image:
        """Show the slot of a frame as a writable uint8 array of this shape."""
        return self._inputs.array(slot, shape)

    def release(self, slot: SlotRef) -> None:
        """Take a slot back.

        Raises:
            ValueError: It is not out.
        """
        self._pool_of(slot).release(slot)

    def forgo(self, slot: SlotRef) -> None:
        """Take a slot out of use for good, because somebody holds on to what is in it.

        Raises:
            ValueError: It is not out.
        """
        self._pool_of(slot).forgo(slot)

    def close(self) -> None:
        """Remove all memory; mappings of it live on."""
        for pool in self._pools:
            pool.close()

    def _pool_of(self, slot: SlotRef) -> SlotPool:
        is_output = slot.segment.startswith(self._output_prefix)
        return self._outputs if is_output and self._outputs is not None else self._inputs
