"""Making a detector from its name: `motion`, `demo`, a model of the catalogue, or a model file.

Importing this module loads neither OpenCV nor ONNX Runtime; they are loaded by what needs them.
"""

from __future__ import annotations

import difflib
from dataclasses import fields
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.detect.catalogue import CATALOGUE
from sightline.detect.detector import Detector
from sightline.detect.model_file import ModelFile
from sightline.detect.onnx_options import OnnxOptions
from sightline.errors import ModelError
from sightline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.detect.catalogue import CatalogueEntry
    from sightline.detect.motion import MotionDetector, MotionOptions

__all__ = ["DEMO", "MOTION", "detector_names", "find_model", "open_detector"]

DEMO = "demo"
"""Name of the model that ships with Sightline, for generated scenes."""

MOTION = "motion"
"""Name of the detector without weights."""


def detector_names() -> tuple[str, ...]:
    """List the names that `open_detector` knows."""
    return (DEMO, MOTION, *CATALOGUE)


def open_detector(
    detector: str | Path | Detector,
    *,
    options: OnnxOptions | MotionOptions | None = None,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Detector:
    """Make a detector; nothing is loaded or fetched before its `open()`.

    Args:
        detector: One of `detector_names()`, a `.onnx` file, or a detector, which is returned.
        options: Options of its kind; None: the defaults.
        settings: Where fetched models are kept; None: the defaults.
        progress: Told the bytes fetched so far and their final number, should a model be fetched.

    Raises:
        ModelError: There is no such detector, or it does not take these options.
    """
    if isinstance(detector, Detector):
        if options is not None:
            raise ModelError("a detector that exists already takes no options")
        return detector
    if detector == MOTION:
        return _motion(options)
    model = find_model(detector, settings=settings or Settings(), progress=progress)
    if options is not None and not isinstance(options, OnnxOptions):
        raise ModelError(f"detector {model.name!r} takes OnnxOptions, not {type(options).__name__}")
    from sightline.detect.onnx_detector import OnnxDetector

    return OnnxDetector(model, options=options)


def find_model(
    model: str | Path,
    *,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFile:
    """Refer to a model by name or path; its `locate()` fetches it if need be.

    Args:
        model: `demo`, a name from the catalogue, or a `.onnx` file.
        settings: Where fetched models are kept.
        progress: Told the bytes fetched so far and their final number.

    Raises:
        ModelError: There is no model of this name.
    """
    if isinstance(model, Path) or model.endswith(".onnx"):
        return ModelFile.at(Path(model))
    if model == DEMO:
        return ModelFile(name=DEMO, locate=_demo_path)
    if model in CATALOGUE:
        entry = CATALOGUE[model]
        return ModelFile(
            name=entry.name,
            locate=partial(_fetch, entry, settings, progress),
            layout=entry.layout,
            class_names=entry.class_names,
        )
    close = difflib.get_close_matches(model, detector_names(), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ModelError(
        f"there is no detector {model!r}; {hint}choose {', '.join(detector_names())} "
        "or the path of a .onnx file"
    )


def _motion(options: OnnxOptions | MotionOptions | None) -> MotionDetector:
    from sightline.detect.motion import MotionDetector

    if isinstance(options, OnnxOptions):
        defaults = OnnxOptions()
        changed = [
            field.name
            for field in fields(OnnxOptions)
            if getattr(options, field.name) != getattr(defaults, field.name)
        ]
        if changed:
            raise ModelError(f"detector 'motion' has no option {', '.join(changed)}")
        options = None
    return MotionDetector(options)


def _fetch(
    entry: CatalogueEntry, settings: Settings, progress: Callable[[int, int], None] | None
) -> Path:
    from sightline.detect.download import fetch_model

    return fetch_model(entry, settings=settings, progress=progress)


def _demo_path() -> Path:
    return Path(str(files("sightline.detect").joinpath("models", "demo.onnx")))
