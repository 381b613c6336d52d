"""Writes the videos that the tests read. Every picture shows its own number as a bar code."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BITS = 8
"""The bar code: so many vertical bars, most significant left, black for 0 and white for 1."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to write a video."""

    codec: str = "libx264"
    count: int = 20
    size: tuple[int, int] = (128, 96)
    pixels: str = "yuv420p"
    rate: int = 25
    times: Sequence[int] | None = None
    time_base: Fraction | None = None
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    rotation: int = 0
    mirrored: bool = False
    audio_s: float = 0.0
    first_number: int = 0


def numbered(number: int, size: tuple[int, int], pixels: str = "bgr24") -> av.VideoFrame:
    """A picture that shows its number; the lower quarter is noise, to give codecs work."""
    width, height = size
    bars = [255 * (number >> bit & 1) for bit in reversed(range(BITS))]
    image = np.zeros((height, width, 3), np.uint8)
    step = width // BITS
    image[:, : step * BITS] = np.repeat(bars, step)[:, None]
    noise = np.random.default_rng(number).integers(0, 256, (height // 4, width, 3), np.uint8)
    image[height - height // 4 :] = noise
    return av.VideoFrame.from_ndarray(image, "bgr24").reformat(format=pixels)


def read_number(image: np.ndarray) -> int:
    """The number that a picture shows."""
    height, width = image.shape[:2]
    step = width // BITS
    number = 0
    for bar in range(BITS):
        part = image[: height // 2, bar * step + 2 : (bar + 1) * step - 2]
        number = number * 2 + (part.mean() > 127)
    return number


def write_audio(container: av.container.OutputContainer, stream: av.AudioStream, s: float) -> None:
    samples = 1024
    for index in range(round(s * 48000 / samples)):
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, samples), np.float32), format="fltp", layout="stereo"
        )
        frame.rate = 48000
        frame.pts = index * samples
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write(path: Path, recipe: Recipe) -> Path:
    """Write a video."""
    with av.open(
        str(path), "w", format=recipe.format, options=recipe.container_options
    ) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.codec_options)
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixels
        if recipe.rotation or recipe.mirrored:
            stream.set_display_rotation(recipe.rotation, hflip=recipe.mirrored)
        if recipe.time_base is not None:
            stream.codec_context.time_base = recipe.time_base
        audio = container.add_stream("aac", rate=48000) if recipe.audio_s else None
        for index in range(recipe.count):
            frame = numbered(recipe.first_number + index, recipe.size, recipe.pixels)
            frame.pts = recipe.times[index] if recipe.times else index
            frame.time_base = recipe.time_base or Fraction(1, recipe.rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            write_audio(container, audio, recipe.audio_s)
    return path


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a video into the test's folder: `write_video("a.mp4", codec="mpeg4", …)`."""

    def write_named(name: str, **recipe: object) -> Path:
        return write(tmp_path / name, Recipe(**recipe))

    return write_named


@pytest.fixture(scope="session", name="read_number")
def _read_number() -> Callable[[np.ndarray], int]:
    """Read the number that a picture shows."""
    return read_number
