"""How far a graph is."""

from __future__ import annotations

from enum import Enum

__all__ = ["Phase"]


class Phase(Enum):
    """From opening to the end: `PARTING` if it comes of itself; `FINISHING`, `CLOSING` if not."""

    OPENING = "sources and handlers are opening; nothing is written yet"
    RUNNING = "frames are processed"
    FINISHING = "nothing new is begun; frames under way are finished"
    CLOSING = "sinks are being closed"
    PARTING = "all streams are over; handlers and sources close what they opened"
