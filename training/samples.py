"""Training images: frames of generated scenes, brought to the size of the network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sightline.media.scene import Scene, SceneSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["PADDING", "Samples", "letterbox", "make_samples"]

PADDING = 114
"""Gray level around a letterboxed image."""

_MOST_OBJECTS = 48
_IGNORED, _ABSENT = -2, -1
_MIN_VISIBILITY, _TRACE = 0.3, 0.05  # seen share of objects to be found; of those to be ignored
_COMPRESSED = 0.4  # share of the images
_SIZES = ((640, 360), (640, 360), (640, 360), (320, 180), (480, 270), (854, 480), (1280, 720))
_ODD_SIZES = ((640, 480), (480, 360), (800, 600), (720, 720), (960, 360))


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images with their objects.

    Attributes:
        images: uint8 (S, H, W, 3), RGB, letterboxed.
        boxes: float32 (S, M, 4), left, top, right, bottom in pixels of the letterboxed image.
        classes: int64 (S, M); −1 where there is no object, −2 for one to be ignored.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


def make_samples(
    seeds: range, frames_per_scene: int, size: tuple[int, int], report: Callable[[str], None]
) -> Samples:
    """Render frames of one scene per seed, each with its own size, density and frame numbers."""
    count = len(seeds) * frames_per_scene
    samples = Samples(
        images=np.full((count, *size, 3), PADDING, np.uint8),
        boxes=np.zeros((count, _MOST_OBJECTS, 4), np.float32),
        classes=np.full((count, _MOST_OBJECTS), _ABSENT, np.int64),
    )
    for number, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, 3])
        scene = Scene(_settings(rng, seed))
        for k in range(frames_per_scene):
            seq = int(rng.integers(scene.settings.frames))
            _fill(samples, number * frames_per_scene + k, scene, seq, rng)
        if number % 100 == 99:
            report(f"rendered scenes={number + 1} of={len(seeds)}")
    return samples


def _compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Lose what a video codec loses: fine noise and half of the colour's resolution."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def _settings(rng: np.random.Generator, seed: int) -> SceneSettings:
    sizes = _ODD_SIZES if rng.random() < 0.2 else _SIZES
    width, height = sizes[rng.integers(len(sizes))]
    objects = int(rng.integers(1, 27)) if rng.random() < 0.7 else 8
    return SceneSettings(width=width, height=height, seed=seed, objects=objects)


def letterbox(
    image: NDArray[np.uint8], target: NDArray[np.uint8], place: tuple[float, float], method: int
) -> tuple[float, float, float]:
    """Scale an image into a larger one, in place; `place` is the share of padding left and above.

    Returns:
        Scale, and left and top of the image in the target.
    """
    height, width = image.shape[:2]
    scale = min(target.shape[0] / height, target.shape[1] / width)
    new_width, new_height = round(width * scale), round(height * scale)
    left = round((target.shape[1] - new_width) * place[0])
    top = round((target.shape[0] - new_height) * place[1])
    resized = cv2.resize(image, (new_width, new_height), interpolation=method)
    target[top : top + new_height, left : left + new_width] = resized
    return scale, left, top


def _fill(samples: Samples, index: int, scene: Scene, seq: int, rng: np.random.Generator) -> None:
    image = scene.render(seq)
    if rng.random() < _COMPRESSED:
        image = _compress(image, int(rng.integers(30, 95)))
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    # Detectors differ in where they pad and how they scale; the network shall not mind.
    place = ((0.5, 0.5), (0.0, 0.0), (rng.random(), rng.random()))[rng.integers(3)]
    method = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_AREA)[rng.integers(3)]
    scale, left, top = letterbox(image, samples.images[index], place, method)
    truth = scene.truth(seq)
    kept = np.flatnonzero(truth.visibility >= _TRACE)
    kept = kept[np.argsort(-truth.visibility[kept])][:_MOST_OBJECTS]
    found = truth.detections[kept]
    seen = truth.visibility[kept] >= _MIN_VISIBILITY
    samples.boxes[index, : len(kept)] = found.xyxy * scale + (left, top, left, top)
    samples.classes[index, : len(kept)] = np.where(seen, found.class_id, _IGNORED)
