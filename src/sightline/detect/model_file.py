"""Where the file of a model comes from; it may have to be fetched first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.detect.layouts.layout import Layout

__all__ = ["ModelFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file and what is known about it without opening it; pickle can send it elsewhere.

    Attributes:
        name: What reports call the model.
        locate: Returns the path; may download, and raise `ModelError`.
        layout: Layout of the outputs; None: recognise it.
        class_names: Names of the classes; empty: as the file says.
    """

    name: str
    locate: Callable[[], Path]
    layout: Layout | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def at(cls, path: Path) -> ModelFile:
        """Refer to a file that is there already, about which nothing is known."""
        return cls(name=path.stem, locate=partial(Path, path))
