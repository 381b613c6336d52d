"""What the service takes: the limits of a video, and of the process that looks at it first."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import SightlineError

__all__ = ["LimitError", "MediaLimits"]


class LimitError(SightlineError, ValueError):
    """A job is larger than the service takes, which showed while it was done.

    Attributes:
        code: Of `jobs.failures.FAILURE_CODES`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """The largest job, by its video. Of a job with a time range, only that part counts.

    A few bytes of a hostile file can ask for any amount of work, so that the size of the file
    bounds nothing: pictures of one colour take almost no bytes.

    Attributes:
        max_bytes: Size of the file.
        max_duration_s: Seconds, as the file states or estimates them.
        max_frames: Number of frames, stated and counted.
        max_frame_rate: Frames per second, counted over the duration.
        max_pixels: Of a picture, width times height. The default is 8K and a little more, because
            decoders count with sizes that they round up.
        max_total_pixels: Of all frames together: what the decoding costs. The default is ten hours
            of 4K at 30 frames per second.
        max_streams: Video, audio, subtitles and so on.
        max_objects: Objects in a frame; trackers compare each with each.
        max_tracks: Tracks in all: what the final pass keeps in memory, and the page lists.
        memory_bytes: Address space of the process that looks at the file.
        cpu_s: Its processor time.
        wall_s: How long it may take.
    """

    max_bytes: int = 20 * 2**30
    max_duration_s: float = 24 * 3600.0
    max_frames: int = 5_000_000
    max_frame_rate: float = 1000.0
    max_pixels: int = 8192 * 4352
    max_total_pixels: int = 10 * 3600 * 30 * 3840 * 2160
    max_streams: int = 64
    max_objects: int = 5_000
    max_tracks: int = 1_000_000
    memory_bytes: int = 4 * 2**30
    cpu_s: int = 300
    wall_s: float = 600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be positive, but is {value}")
