"""The seam between pipelines and object detectors. It knows no model format, no runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.detections import Detections
    from sightline.frame import Image
    from sightline.scope import Scope

__all__ = ["AdjustableDetector", "Detector"]


@runtime_checkable
class Detector(Protocol):
    """Finds objects in images.

    Constructing a detector checks its options and loads nothing; `open()` loads.

    Attributes:
        scope: `STATELESS`, or `STREAM` where a result depends on earlier images.
        concurrency: How many threads may be inside `detect` at once with profit; 1 for `STREAM`.
    """

    scope: Scope
    concurrency: int

    def open(self) -> None:
        """Load what is needed; does nothing if open already.

        Raises:
            ModelError: The model cannot be found, loaded or understood.
        """

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the objects in each image, most confident first; all images are of one size.

        Args:
            images: uint8 (H, W, 3) BGR or (H, W) gray, read-only.

        Returns:
            Detections per image, boxes in pixels of that image.
        """

    def describe(self) -> dict[str, Any]:
        """State name, digest, provider and options, as JSON values, for reports."""

    def close(self) -> None:
        """Release what `open()` loaded; does nothing if closed already."""


@runtime_checkable
class AdjustableDetector(Protocol):
    """A detector with options that can be changed while threads are inside `detect`.

    Attributes:
        changeable: The names of these options.
    """

    changeable: frozenset[str]

    def change(self, **options: Any) -> None:
        """Use new values of `changeable` options from the next image on: all of them, or none.

        Raises:
            TypeError: A value is of the wrong type.
            ValueError: A value is out of range, or an option is not `changeable`.
        """
