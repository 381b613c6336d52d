"""Writes the videos that are divided: pictures with moving shapes, which give codecs work."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to write a video."""

    codec: str = "libx264"
    count: int = 90
    size: tuple[int, int] = (160, 120)
    pixels: str = "yuv420p"
    rate: int = 25
    times: Sequence[int] | None = None
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    rotation: int = 0


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Texture that moves slowly, a bright square that moves fast, and a little noise."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    image = np.empty((height, width, 3), np.uint8)
    for channel, (a, b) in enumerate([(3, 5), (7, 2), (4, 4)]):
        image[..., channel] = 120 + 80 * np.sin((x * a + number * 3) / 40 + y * b / 50)
    left, top = (number * 7) % (width - 20), (number * 3) % (height - 20)
    image[top : top + 20, left : left + 20] = 255
    noise = np.random.default_rng(number).integers(0, 12, image.shape, np.uint8)
    return image + noise


def write(path: Path, recipe: Recipe) -> Path:
    """Write a video."""
    with av.open(
        str(path), "w", format=recipe.format, options=recipe.container_options
    ) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.codec_options)
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixels
        stream.codec_context.thread_count = 1  # so that the same bytes come out every time
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation)
        if recipe.codec == "libsvtav1":
            with not_as_root():
                stream.codec_context.open()
        for index in range(recipe.count):
            frame = av.VideoFrame.from_ndarray(picture(index, recipe.size), "bgr24")
            frame = frame.reformat(format=recipe.pixels)
            frame.pts = recipe.times[index] if recipe.times else index
            frame.time_base = Fraction(1, recipe.rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@contextmanager
def not_as_root() -> Iterator[None]:
    """For SVT-AV1: what opens it as root gets real-time priority, and keeps it for good."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a video into the test's folder: `write_video("a.mp4", codec="mpeg4", …)`."""

    def write_named(name: str, **recipe: object) -> Path:
        return write(tmp_path / name, Recipe(**recipe))

    return write_named
