"""What a stream does when its frames come faster than they are handled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sightline.pipeline.stream_spec import LONGEST_STALENESS_S

__all__ = ["Mode", "StreamPolicy"]


class Mode(Enum):
    """How a stream meets overload."""

    EVERY_FRAME = "every-frame"
    """The source waits; nothing is dropped. Meant for files."""
    AUTO = "auto"
    """In order, but what has grown too old is dropped. Meant for live sources."""
    FRESHEST = "freshest"
    """Of the frames that wait, only the newest is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """How one stream is handled under overload.

    Attributes:
        mode: What happens to frames that have to wait.
        staleness_s: In `Mode.AUTO`, the age in seconds above which a frame is not begun any more.
        paced: Its frames come at times of their own, not as fast as they are taken.

    Raises:
        TypeError: `mode` is not a `Mode`.
        ValueError: `staleness_s` is not above 0, or is above a day.
    """

    mode: Mode = Mode.EVERY_FRAME
    staleness_s: float = 0.5
    paced: bool = False

    @property
    def is_timely(self) -> bool:
        """Whether the age of its frames matters: it drops what is old, or is paced."""
        return self.paced or self.mode is not Mode.EVERY_FRAME

    def __post_init__(self) -> None:
        if not isinstance(self.mode, Mode):
            raise TypeError(f"mode must be a Mode, but is {self.mode!r}")
        if not 0 < self.staleness_s <= LONGEST_STALENESS_S:
            raise ValueError(
                f"staleness_s must be above 0 and at most {LONGEST_STALENESS_S:g}, but is "
                f"{self.staleness_s}"
            )
