"""The frames of a source node that are not done: who has which, and which must be done again.

    admit ─► QUEUED ─► HELD ─► ANSWERED ─► done           the way of a frame
               │  ▲_____│_________│  its handler leaves
               ▼
            UNRELAYED ◄─► RELAYED ─► done                 one that is dropped or given up

A frame is done when the collector is finished with it, not earlier: until then its slots are kept,
and it is given to another handler if its own one leaves. It knows no sockets.

What a live source drops while nobody can tell the collector would pile up here. So frames are
left out once very many are not done: they get no number, and the numbers of later ones go on where
those before ended. Every number still has one outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from sightline.graph.dispatch import Dispatcher
from sightline.graph.modes import Mode
from sightline.transport.messages import Failure, Release, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sightline.graph.dispatch import Drop
    from sightline.graph.modes import StreamPolicy
    from sightline.transport.messages import Admit, FrameId, Pixels, SlotRef

__all__ = ["Entry", "Ledger"]

_MOST_UNDONE = 1000
"""From so many frames on that are not done, those of a live source are left out."""


class _Place(Enum):
    QUEUED = "waits for a handler"
    HELD = "at a handler"
    ANSWERED = "the handler has sent its result to the collector"
    UNRELAYED = "dropped or given up; the collector is to be told"
    RELAYED = "a handler was asked to tell the collector"


@dataclass(slots=True, eq=False)
class Entry:
    """One frame.

    Attributes:
        about: Which one.
        pixels: Where its image is; None: it was dropped at the source.
        output: Slot for a new image; only for the first handler that gets the frame, as the
            collector may be reading what that one wrote.
        slots: What to release when the frame is done.
        place: Where it is.
        holder: The handler that has it, or had it last.
        tombstone: Its outcome, if no handler gives it one.
        attempts: How many handlers died of it.
        urgent: It was begun before.
        was_given: A handler has had it.
        is_done: The collector is finished with it.
        kept: Somebody holds on to pixels in its slots.
    """

    about: FrameId
    pixels: Pixels | None
    output: SlotRef | None
    slots: list[SlotRef]
    place: _Place = _Place.QUEUED
    holder: bytes = b""
    tombstone: Result | None = None
    attempts: int = 0
    urgent: bool = False
    was_given: bool = False
    is_done: bool = False
    kept: bool = False

    @property
    def key(self) -> tuple[str, int, int]:
        """Stream, epoch and number."""
        return self.about.key

    @property
    def frame_key(self) -> tuple[str, int, int]:
        """The same: each of its works is a whole frame."""
        return self.key

    @property
    def stream(self) -> str:
        """Name of the stream."""
        return self.about.stream

    @property
    def captured_ns(self) -> int:
        """When the source delivered the frame."""
        return self.about.captured_ns


@dataclass(slots=True)
class _Handler:
    """What was taken from a handler, or relayed by it, and is not done."""

    delivered: dict[tuple[str, int, int], Entry] = field(default_factory=dict)


class Ledger:
    """The frames of one stream that are not done. Used by one thread.

    Args:
        stream: Name of the stream.
        policy: What happens under overload.
        on_settled: Called with every frame that is done.

    Attributes:
        window: How many frames may be under way.
        admitted: How many numbers were given out.
        left_out: How many frames got none.
        relays: Frames of whose outcome the collector is to be told; see `relayed`.
    """

    def __init__(
        self, stream: str, policy: StreamPolicy, *, on_settled: Callable[[Entry], None]
    ) -> None:
        self.window = 1
        self.admitted = 0
        self.left_out = 0
        self.relays: list[Entry] = []
        self._stream = stream
        self._policy = policy
        self._on_settled = on_settled
        self._dispatcher: Dispatcher[Entry] = Dispatcher()
        self._dispatcher.add_stream(stream, policy)
        self._entries: dict[tuple[str, int, int], Entry] = {}
        self._handlers: dict[bytes, _Handler] = {}
        self._with_slots = 0
        self._release = Release([], [])

    def __len__(self) -> int:
        """Count the frames that are not done."""
        return len(self._entries)

    def admit(self, message: Admit) -> None:
        """Take a frame in, or the number of one that its source dropped."""
        slots = (
            [] if message.pixels is None or message.pixels.slot is None else [message.pixels.slot]
        )
        slots += [] if message.output is None else [message.output]
        is_live = self._policy.mode is not Mode.EVERY_FRAME
        if is_live and len(self._entries) >= _MOST_UNDONE:
            self.cut("window full")  # what waits would be the oldest when somebody comes
            self.left_out += 1
            self._release.slots.extend(slots)
            return
        about = msgspec.structs.replace(message.frame, seq=message.frame.seq - self.left_out)
        entry = Entry(about, message.pixels, message.output, slots)
        self._entries[entry.key] = entry
        self.admitted = about.seq + 1
        if message.dropped:
            self._bury(entry, f"source: {message.dropped}")
            return
        self._with_slots += 1
        if is_live and self._with_slots >= self.window:
            # Make room for the frame that comes next: the oldest one would be stale first.
            oldest = self._dispatcher.drop_oldest(self._stream, "window full")
            self._drop([] if oldest is None else [oldest])
        self._drop(self._dispatcher.submit(entry))

    def join(self, handler: bytes, *, batch: int) -> None:
        """Give work to a handler from now on."""
        self._handlers[handler] = _Handler()
        self._dispatcher.join(handler, capacity=2 * batch, batch=batch)

    def leave(self, handler: bytes, *, is_dead: bool) -> None:
        """Have all that a handler had, and that is not done, done by others.

        Args:
            handler: Which one.
            is_dead: It may have died of what it had at hand.
        """
        gone = self._handlers.pop(handler, None)
        if gone is None:
            return
        for entry in self._dispatcher.outstanding(handler):
            entry.place = _Place.QUEUED
        for entry in self._dispatcher.leave(handler, blame=is_dead):
            error = f"given up after {entry.attempts} attempts: the handler died"
            self._bury(entry, Failure("dispatch", error, ""))
        for entry in gone.delivered.values():
            if entry.tombstone is not None:
                entry.place = _Place.UNRELAYED
                self.relays.append(entry)
            else:
                entry.place, entry.urgent = _Place.QUEUED, True
                self._dispatcher.submit(entry)

    def assign(self, now_ns: int) -> list[Entry]:
        """Give out what can be given out; `holder` tells to whom."""
        given, drops = self._dispatcher.assign(now_ns)
        self._drop(drops)
        works = []
        for handler, entry in given:
            if entry.is_done:
                self._dispatcher.finish(handler, entry.key)
                self._settle(entry)
                continue
            if entry.was_given:
                entry.output = None
            entry.place, entry.holder, entry.was_given = _Place.HELD, handler, True
            works.append(entry)
        return works

    def answered(self, handler: bytes, result: Result) -> None:
        """Note that a handler is through with a frame; ignored if it does not have it."""
        busy_s = max(0, result.ended_ns - result.started_ns) * 1e-9
        entry = self._dispatcher.finish(handler, result.frame.key, busy_s=busy_s)
        if entry is None:
            return
        entry.kept = entry.kept or result.kept
        if entry.is_done:
            self._settle(entry)
        elif entry.place is _Place.HELD:
            entry.place = _Place.ANSWERED
            self._handlers[handler].delivered[entry.key] = entry

    def relayed(self, handler: bytes) -> list[Result]:
        """Have a handler tell the collector of all `relays`; return what to send to it."""
        relays, self.relays = self.relays, []
        told = []
        for entry in relays:
            if entry.tombstone is None or entry.key not in self._entries:
                continue
            entry.place, entry.holder = _Place.RELAYED, handler
            self._handlers[handler].delivered[entry.key] = entry
            told.append(entry.tombstone)
        return told

    def done(
        self, keys: Iterable[tuple[str, int, int]], kept: Iterable[tuple[str, int, int]]
    ) -> None:
        """Note with which frames the collector is finished."""
        for key in kept:
            if key in self._entries:
                self._entries[key].kept = True
        for key in keys:
            entry = self._entries.get(key)
            if entry is None:
                continue
            entry.is_done = True
            if entry.place not in (_Place.QUEUED, _Place.HELD):
                self._settle(entry)

    def cut(self, reason: str) -> None:
        """Drop what no handler has begun."""
        while (drop := self._dispatcher.drop_oldest(self._stream, reason)) is not None:
            self._drop([drop])

    def abandon(self, reason: str) -> None:
        """Give up all that has no outcome. Nothing can be assigned after this."""
        for entry in list(self._entries.values()):
            if entry.tombstone is None:
                self._bury(entry, reason)

    def take_release(self) -> Release | None:
        """Name the slots that have become free since the last call; None: none."""
        release, self._release = self._release, Release([], [])
        return release if release.slots or release.kept else None

    def _drop(self, drops: Iterable[Drop[Entry]]) -> None:
        for drop in drops:
            self._bury(drop.work, f"dispatch: {drop.reason}")

    def _bury(self, entry: Entry, reason: str | Failure) -> None:
        """Give a frame an outcome of which the collector is to be told."""
        if entry.is_done:
            self._settle(entry)
            return
        if isinstance(reason, Failure):
            entry.tombstone = Result(entry.about, failure=reason)
        else:
            entry.tombstone = Result(entry.about, dropped_by=reason)
        if not entry.was_given:
            self._free(entry)
        entry.place = _Place.UNRELAYED
        self.relays.append(entry)

    def _free(self, entry: Entry) -> None:
        if entry.slots:
            self._with_slots -= 1
            (self._release.kept if entry.kept else self._release.slots).extend(entry.slots)
            entry.slots = []

    def _settle(self, entry: Entry) -> None:
        if self._entries.pop(entry.key, None) is None:
            return
        if entry.holder in self._handlers:
            self._handlers[entry.holder].delivered.pop(entry.key, None)
        self._free(entry)
        self._on_settled(entry)
