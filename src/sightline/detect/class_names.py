"""Names of classes: the COCO names, and reading names from files and model metadata."""

from __future__ import annotations

import ast
import difflib
import json
from typing import TYPE_CHECKING, Any

from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "COCO_80",
    "COCO_91",
    "class_ids",
    "default_names",
    "names_in",
    "parse_names",
    "read_names",
]

COCO_80 = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes of COCO in the order in which nearly all models number them from 0."""

_COCO_UNUSED_IDS = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Category ids up to 90 that COCO reserved and never gave to a class."""


def _with_gaps() -> tuple[str, ...]:
    names = iter(COCO_80)
    return tuple(str(i) if i in _COCO_UNUSED_IDS else next(names) for i in range(91))


COCO_91 = _with_gaps()
"""The COCO names by original category id; an unused id has its number for a name."""


def default_names(class_count: int | None) -> tuple[str, ...]:
    """Name the classes of a model that names none: COCO if their number says so, else no names.

    >>> default_names(80)[:2], default_names(3), default_names(None)
    (('person', 'bicycle'), (), ())
    """
    return {80: COCO_80, 91: COCO_91}.get(class_count or 0, ())


def parse_names(text: str) -> tuple[str, ...]:
    """Read names from a list, or a mapping from class id to name, in Python, JSON or YAML.

    Ultralytics writes the Python form into the metadata of its models.

    Raises:
        ValueError: The text is neither; or the ids of a mapping are not whole numbers from 0.

    >>> parse_names("{0: 'person', 2: 'car'}")
    ('person', '1', 'car')
    >>> parse_names('["person", "car"]')
    ('person', 'car')
    """
    value = _parse(text)
    if isinstance(value, dict) and set(value) == {"names"}:
        value = value["names"]
    if isinstance(value, dict):
        by_id = {int(key): str(name) for key, name in value.items()}
        if not by_id or min(by_id) < 0:
            raise ValueError("class ids must be whole numbers from 0")
        return tuple(by_id.get(i, str(i)) for i in range(max(by_id) + 1))
    if isinstance(value, list | tuple) and value:
        return tuple(str(name) for name in value)
    raise ValueError("expected a list of names or a mapping from class id to name")


def _parse(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError):
            continue
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError("it is neither Python, JSON nor YAML") from error


def names_in(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Read the class names that a model carries in its metadata; empty if it carries none.

    Raises:
        ModelError: They cannot be understood.
    """
    if "names" not in metadata:
        return ()
    try:
        return parse_names(metadata["names"])
    except ValueError as error:
        raise ModelError(
            f"cannot read the class names in the model's metadata: {error}; give the names yourself"
        ) from error


def read_names(path: Path) -> tuple[str, ...]:
    """Read class names from a file: `.json`, `.yaml` and `.yml` as `parse_names`, else one a line.

    Raises:
        ModelError: The file cannot be read, or holds no names.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() in {".json", ".yaml", ".yml"}:
            return parse_names(text)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read class names from {path}: {error}") from error
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names:
        raise ModelError(f"cannot read class names from {path}: the file is empty")
    return names


def class_ids(classes: Iterable[str | int], names: tuple[str, ...]) -> frozenset[int]:
    """Find the ids of classes given by name or id.

    Raises:
        ModelError: A class is not among the names.

    >>> sorted(class_ids(["car", 0, "7"], COCO_80))
    [0, 2, 7]
    """
    return frozenset(_class_id(entry, names) for entry in classes)


def _class_id(entry: str | int, names: tuple[str, ...]) -> int:
    if isinstance(entry, str) and entry in names:
        return names.index(entry)
    if isinstance(entry, int) or entry.isdecimal():
        number = int(entry)
        if number >= 0 and (not names or number < len(names)):
            return number
    if not names:
        raise ModelError(
            f"the model does not name its classes, so {entry!r} cannot be found: give class "
            "numbers, or names for all classes"
        )
    close = difflib.get_close_matches(str(entry), names, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"it knows {_shorten(names)}"
    raise ModelError(f"the model knows no class {entry!r}; {hint}")


def _shorten(names: tuple[str, ...], limit: int = 12) -> str:
    listed = ", ".join(names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"
