"""The detectors that clients of a service may choose by name, and whether their models are here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.detect.catalogue import CATALOGUE, DEFAULT_MODEL
from sightline.detect.download import cached_path
from sightline.detect.opening import DEMO, MOTION, detector_names
from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sightline.settings import Settings

__all__ = ["AllowedDetector", "AllowedDetectors"]

_SUMMARIES = {
    DEMO: "The model that ships with Sightline, for generated scenes",
    MOTION: "What moves in front of a fixed camera; needs no model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedDetector:
    """A detector that clients may choose.

    Attributes:
        name: What they call it.
        model: What `Detect` takes: a name that it knows, or the path of an ONNX file.
    """

    name: str
    model: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its classes; empty where they are not known without opening it."""
        if self.model == MOTION:
            return ("moving",)
        entry = CATALOGUE.get(self.model)
        return () if entry is None else entry.class_names

    def describe(self, settings: Settings) -> dict[str, Any]:
        """State the name, what it is, its classes, and whether it is here; JSON.

        `status` is "ready", "to-fetch" (with the first job that needs it), or "unavailable".
        """
        entry = CATALOGUE.get(self.model)
        return {
            "name": self.name,
            "summary": entry.summary if entry else _SUMMARIES.get(self.model, "ONNX model"),
            "classes": list(self.class_names),
            "status": self._status(settings),
        }

    def _status(self, settings: Settings) -> str:
        entry = CATALOGUE.get(self.model)
        if entry is None:
            here = self.model in _SUMMARIES or Path(self.model).is_file()
            return "ready" if here else "unavailable"
        if cached_path(entry, settings).is_file():
            return "ready"
        return "unavailable" if settings.offline else "to-fetch"


class AllowedDetectors:
    """The detectors of a service; the first is the default.

    Args:
        allowed: Names that `Detect` knows, or NAME=FILE.onnx; empty: `yolox-s` and all others
            that have a name.
        settings: Where models are kept.

    Raises:
        ModelError: A name is unknown or given twice, or a file is missing.

    >>> from sightline.settings import Settings
    >>> [one.name for one in AllowedDetectors(["demo", "motion"], settings=Settings())]
    ['demo', 'motion']
    """

    def __init__(self, allowed: Iterable[str] = (), *, settings: Settings) -> None:
        self._settings = settings
        self._detectors: dict[str, AllowedDetector] = {}
        for text in tuple(allowed) or _all_names():
            detector = _parse(text)
            if detector.name in self._detectors:
                raise ModelError(f"two detectors have the name {detector.name!r}; rename one")
            self._detectors[detector.name] = detector

    def __iter__(self) -> Iterator[AllowedDetector]:
        return iter(self._detectors.values())

    def __getitem__(self, name: str) -> AllowedDetector:
        return self._detectors[name]

    @property
    def default(self) -> AllowedDetector:
        """What a client gets that names none."""
        return next(iter(self))

    def describe(self) -> list[dict[str, Any]]:
        """Describe all; see `AllowedDetector.describe`."""
        return [detector.describe(self._settings) for detector in self]


def _all_names() -> tuple[str, ...]:
    names = detector_names()
    return (DEFAULT_MODEL, *(name for name in names if name != DEFAULT_MODEL))


def _parse(text: str) -> AllowedDetector:
    name, assigned, model = text.partition("=")
    if not assigned:
        if text not in detector_names():
            raise ModelError(
                f"there is no detector {text!r}; allow {', '.join(detector_names())}, "
                "or NAME=FILE.onnx"
            )
        return AllowedDetector(name=text, model=text)
    if not name or not model.endswith(".onnx") or not Path(model).is_file():
        raise ModelError(f"{text!r} is not NAME=FILE.onnx with a file that exists")
    return AllowedDetector(name=name, model=str(Path(model).absolute()))
