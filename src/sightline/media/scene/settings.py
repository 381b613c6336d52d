"""What a user may choose about a generated scene, in Python and in a `scene:` URL."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from urllib.parse import parse_qsl, urlsplit

from sightline.errors import MediaError

__all__ = ["SceneSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """What is shown, how long and how large; equal settings give equal scenes.

    Attributes:
        width: Pixels, in [320, 3840] and even.
        height: Pixels, in [180, 2160] and even.
        frames: Number of frames, in [1, 1,000,000].
        frame_rate: Frames per second, in [1, 240]; objects move by the second, not by the frame.
        seed: Selects the street, the light, the objects and their ways; 0 or more.
        objects: The most objects in view at once, in [0, 60].
    """

    width: int = 640
    height: int = 360
    frames: int = 300
    frame_rate: Fraction = Fraction(25)
    seed: int = 0
    objects: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame_rate", Fraction(self.frame_rate))
        _check("width", self.width, 320, 3840)
        _check("height", self.height, 180, 2160)
        _check("frames", self.frames, 1, 1_000_000)
        _check("frame_rate", self.frame_rate, 1, 240)
        _check("seed", self.seed, 0, 2**63 - 1)
        _check("objects", self.objects, 0, 60)
        if self.width % 2 or self.height % 2:
            raise ValueError(f"width and height must be even, but are {self.width}x{self.height}")

    @classmethod
    def from_url(cls, url: str) -> SceneSettings:
        """Read `scene:street?seed=3&frames=100`; what is left out has its default.

        >>> SceneSettings.from_url("scene:street?seed=3&frame_rate=30000/1001").seed
        3

        Raises:
            MediaError: The URL names another scene, or an unknown or wrong setting.
        """
        parts = urlsplit(url)
        if parts.scheme != "scene" or parts.path != "street" or parts.netloc or parts.fragment:
            raise MediaError(f"no such scene: {url}; use scene:street?seed=0")
        known = {field.name: field for field in fields(cls)}
        values: dict[str, int | Fraction] = {}
        for name, text in parse_qsl(parts.query, keep_blank_values=True):
            if name not in known:
                raise MediaError(f"no such setting of a scene: {name}; use {', '.join(known)}")
            if name in values:
                raise MediaError(f"setting of a scene given twice: {name}")
            values[name] = _parse(name, text)
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValueError as error:
            raise MediaError(f"cannot make scene {url}: {error}") from error


def _check(name: str, value: int | Fraction, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], but is {value}")


def _parse(name: str, text: str) -> int | Fraction:
    try:
        return Fraction(text) if name == "frame_rate" else int(text)
    except (ValueError, ZeroDivisionError) as error:
        raise MediaError(f"setting {name} of a scene must be a number, but is {text!r}") from error
