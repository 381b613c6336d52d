"""How a source is opened: the settings that a user may change."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sightline.media.section import Section

__all__ = ["SourceOptions", "range_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Settings for `open_source`; each concerns the kinds of source that it names.

    Attributes:
        frame_rate: Image folders: images per second, for the timestamps.
        start_s: Recorded videos and image folders: leave out what is shown earlier than this many
            seconds after the first frame. A live source cannot be opened with it.
        end_s: Likewise: leave out what is shown this many seconds after the first frame, or later.
            None: read to the end.
        timeout_s: Network streams: longest wait for an answer, for more data, and for the first
            picture.
        verify_tls: `https` and `rtsps`: refuse a server whose certificate the system does not
            trust. Cameras often have certificates that nobody signed.
        rtsp_transport: RTSP streams: "tcp" passes firewalls and loses nothing; "udp" is for
            networks that are known to be good.
        camera_size: Cameras: width and height to ask for; None: what the driver prefers.
        camera_rate: Cameras: frames per second to ask for; None: what the driver prefers.
        max_pixels: Videos: refuse pictures of more pixels than this before memory is taken for
            them, because a damaged or hostile header can ask for any size.
        container: Video files: read them as this container and no other, whatever they look like;
            None: find out. For files of strangers, who may have made one that looks like another.
        section: Video files: read only these frames, instead of `start_s` and `end_s`; see
            `open_section`.
    """

    frame_rate: Fraction = Fraction(25)
    start_s: float = 0.0
    end_s: float | None = None
    timeout_s: float = 10.0
    verify_tls: bool = True
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    camera_size: tuple[int, int] | None = None
    camera_rate: int | None = None
    max_pixels: int = 16384 * 16384
    container: Literal["avi", "matroska", "mov", "mpegts"] | None = None
    section: Section | None = None

    def __post_init__(self) -> None:
        for name in ("frame_rate", "timeout_s", "max_pixels", "camera_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, but is {value}")
        if not self.start_s >= 0:
            raise ValueError(f"start_s must be 0 or more, but is {self.start_s}")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise ValueError(f"end_s must be after start_s={self.start_s}, but is {self.end_s}")
        if self.section is not None and self.has_range:
            raise ValueError("a section goes without start_s and end_s: it has a range of its own")
        if self.rtsp_transport not in ("tcp", "udp"):
            raise ValueError(f"rtsp_transport must be 'tcp' or 'udp', not {self.rtsp_transport!r}")
        if self.camera_size is not None and not min(self.camera_size) > 0:
            raise ValueError(f"camera_size must be positive, but is {self.camera_size}")

    @property
    def has_range(self) -> bool:
        """Whether a part of the source is left out."""
        return self.start_s > 0 or self.end_s is not None


def range_text(start_s: float, end_s: float | None) -> str:
    """Write a range for people, in plain seconds.

    >>> range_text(9_999_999.0, 1e7), range_text(0.25, None)
    ('between 9999999 s and 10000000 s', 'at 0.25 s or later')
    """
    if end_s is None:
        return f"at {_plain(start_s)} s or later"
    return f"between {_plain(start_s)} s and {_plain(end_s)} s"


def _plain(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
