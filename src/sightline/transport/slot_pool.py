"""The slots that one process owns: which are out, and which can be given out next.

It does not know what lies in a slot, nor who holds it: whoever acquires a slot releases it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from sightline.transport.messages import SlotRef
from sightline.transport.segment import Segment

if TYPE_CHECKING:
    from sightline.frame import Image

__all__ = ["SlotPool"]


class SlotPool:
    """A number of slots, whose size follows the frames. For one thread.

    Slots of a size that no longer fits stay valid until they are released; they count as out, so
    that never more than `slots` are. A context manager.
    """

    def __init__(self, prefix: str, *, slots: int) -> None:
        """Make a pool; it has no memory before `fit` was called.

        Args:
            prefix: What the names of its segments start with; see `RunDirectory.segment_prefix`.
            slots: How many slots may be out at a time.
        """
        if slots < 1:
            raise ValueError(f"slots must be 1 or more, but is {slots}")
        self.slots = slots
        self._prefix = prefix
        self._segment: Segment | None = None
        self._indices: list[int] = []  # slots of the segment that are not out
        self._out: dict[SlotRef, Segment] = {}

    @property
    def free(self) -> int:
        """How many slots can be acquired now."""
        return max(0, self.slots - len(self._out))

    def lower(self, slots: int) -> None:
        """Have at most so many slots out from now on; those that are out stay so."""
        if slots < 1:
            raise ValueError(f"slots must be 1 or more, but is {slots}")
        self.slots = min(self.slots, slots)

    def holds(self, nbytes: int) -> bool:
        """Tell whether slots acquired now hold `nbytes` bytes, without another `fit`."""
        return self._segment is not None and nbytes <= self._segment.slot_bytes

    def can_fit(self, nbytes: int) -> bool:
        """Tell whether `fit` needs no memory beside that of smaller slots which are still out."""
        return self._segment is None or self.holds(nbytes) or not self._out

    def fit(self, nbytes: int) -> None:
        """Make sure that slots acquired from now on hold `nbytes` bytes.

        Raises:
            SharedMemoryError: There is not enough shared memory; nothing can be acquired then.
        """
        if self.holds(nbytes):
            return
        if self._segment is not None:
            outgrown, self._segment = self._segment, None
            self._remove_if_unused(outgrown)
        name = self._prefix + secrets.token_hex(6)
        self._segment = Segment.create(name, slots=self.slots, slot_bytes=nbytes)
        self._indices = list(reversed(range(self.slots)))

    def acquire(self) -> SlotRef | None:
        """Give out a slot, the one released last: it is still in the processor's cache.

        Returns:
            The slot, or None if all are out.

        Raises:
            ValueError: `fit` was not called before.
        """
        segment = self._segment
        if segment is None:
            raise ValueError("the pool has no memory; call fit() with the size of a frame first")
        if not self.free:
            return None
        index = self._indices.pop()
        ref = SlotRef(segment.name, index, segment.bump(index), segment.slot_bytes)
        self._out[ref] = segment
        return ref

    def array(self, ref: SlotRef, shape: tuple[int, ...]) -> Image:
        """Show a slot that is out as a writable uint8 array of this shape.

        Raises:
            ValueError: The slot is not out.
            SharedMemoryError: The slot is too small.
        """
        segment = self._out.get(ref)
        if segment is None:
            raise ValueError(f"{ref} is not out")
        return segment.view(ref.index, shape, writeable=True)

    def release(self, ref: SlotRef) -> None:
        """Take a slot back.

        Raises:
            ValueError: It is not out: released twice, or of another pool.
        """
        segment = self._out.pop(ref, None)
        if segment is None:
            raise ValueError(f"{ref} is not out; it was released before, or is of another pool")
        if segment is self._segment:
            self._indices.append(ref.index)
        else:
            self._remove_if_unused(segment)

    def forgo(self, ref: SlotRef) -> None:
        """Take a slot out of use for good, because somebody holds on to what is in it.

        Its place is taken by one of a new segment, which the next `fit` makes.

        Raises:
            ValueError: It is not out.
        """
        segment = self._out.pop(ref, None)
        if segment is None:
            raise ValueError(f"{ref} is not out; it was released before, or is of another pool")
        if segment is self._segment:
            self._segment = None
        self._remove_if_unused(segment)

    def close(self) -> None:
        """Remove all memory, also that of slots which are out; mappings of it live on."""
        segments = set(self._out.values())
        if self._segment is not None:
            segments.add(self._segment)
        self._out.clear()
        self._segment = None
        for segment in segments:
            self._remove_if_unused(segment)

    def _remove_if_unused(self, segment: Segment) -> None:
        if segment not in self._out.values():
            segment.unlink()
            segment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
