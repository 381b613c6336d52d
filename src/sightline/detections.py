"""Detections of one frame as a struct of arrays, and their interchange with supervision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["UNTRACKED", "Detections"]

UNTRACKED = -1
"""The `track_id` of a detection that belongs to no track."""


_FILLED_IN: Any = None
"""Default of a column: the constructor replaces it by an array."""


def _column(
    values: ArrayLike | None, dtype: type[np.generic], length: int, default: float
) -> NDArray[Any]:
    array: NDArray[Any]
    if values is None:
        array = np.full(length, default, dtype)
    else:
        array = np.asarray(values, dtype)
        if array.shape != (length,):
            raise ValueError(f"expected {length} values, one per box, but got shape {array.shape}")
    return _read_only(array)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _names(names: Any) -> tuple[str, ...]:
    """Take class names of any sequence of strings; a mapping by number is not one."""
    if type(names) is tuple:
        return _checked_names(names)
    if isinstance(names, str | dict):
        raise TypeError(f"class_names must be a sequence of names, but is {names!r}")
    return _checked_names(tuple(names))


@lru_cache(maxsize=64)  # nearly all detections of a stream have the same names
def _checked_names(names: tuple[Any, ...]) -> tuple[str, ...]:
    """Make plain strings of names, such as NumPy's, which cannot travel between processes."""
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"class names must be strings, but one is {name!r}")
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"class names must be Unicode text, but one is {name!r}") from error
    return tuple(str.__str__(name) for name in names)  # of an Enum, too, its value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """The objects found in one frame; all arrays have one row per object and are read-only.

    Attributes:
        xyxy: float32 (N, 4), boxes as left, top, right, bottom in pixels of the frame, origin
            top-left; a box may reach beyond the image.
        confidence: float32 (N,), in [0, 1]; 1 where not given.
        class_id: int32 (N,), index into `class_names`; 0 where not given.
        track_id: int64 (N,), positive, or −1 (`UNTRACKED`) for an object that is on no track.
        class_names: Names by `class_id`, shared between frames; may be empty. Any sequence of
            strings is taken, and kept as a tuple.

    Raises:
        ValueError: A column is not as above, or a name is no Unicode text.
        TypeError: The names are no sequence of strings.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32] = _FILLED_IN
    class_id: NDArray[np.int32] = _FILLED_IN
    track_id: NDArray[np.int64] = _FILLED_IN
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        xyxy = np.asarray(self.xyxy, np.float32)
        if xyxy.ndim != 2 or xyxy.shape[1] != 4:
            raise ValueError(f"xyxy must have shape (N, 4), but has {xyxy.shape}")
        length = len(xyxy)
        set_field = object.__setattr__
        set_field(self, "xyxy", _read_only(xyxy))
        set_field(self, "confidence", _column(self.confidence, np.float32, length, 1.0))
        set_field(self, "class_id", _column(self.class_id, np.int32, length, 0))
        set_field(self, "track_id", _column(self.track_id, np.int64, length, UNTRACKED))
        set_field(self, "class_names", _names(self.class_names))

    @classmethod
    def empty(cls, class_names: tuple[str, ...] = ()) -> Detections:
        """Make detections of a frame in which nothing was found."""
        return cls(xyxy=np.empty((0, 4), np.float32), class_names=class_names)

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: NDArray[Any] | slice | list[int]) -> Detections:
        """Select objects by index array, boolean mask or slice, in that order.

        >>> boxes = Detections(xyxy=[[0, 0, 2, 2], [5, 5, 9, 9]], confidence=[0.9, 0.2])
        >>> boxes[boxes.confidence > 0.5].xyxy.tolist()
        [[0.0, 0.0, 2.0, 2.0]]
        """
        return Detections(
            xyxy=self.xyxy[rows],
            confidence=self.confidence[rows],
            class_id=self.class_id[rows],
            track_id=self.track_id[rows],
            class_names=self.class_names,
        )

    def replace(self, **changes: Any) -> Detections:
        """Copy with some attributes replaced; the new values are checked."""
        return replace(self, **changes)

    def with_tracks(self, xyxy: NDArray[np.float32], track_id: NDArray[np.int64]) -> Detections:
        """Copy with the boxes and identities of a tracker, which are taken over unchecked.

        A third of the time of `replace()`, which is a tenth of a tracker's whole time per frame.

        Args:
            xyxy: float32 (N, 4), as in the attributes; becomes read-only.
            track_id: int64 (N,), as in the attributes; becomes read-only.
        """
        xyxy.flags.writeable = False
        track_id.flags.writeable = False
        copy = object.__new__(Detections)
        set_field = object.__setattr__
        set_field(copy, "xyxy", xyxy)
        set_field(copy, "confidence", self.confidence)
        set_field(copy, "class_id", self.class_id)
        set_field(copy, "track_id", track_id)
        set_field(copy, "class_names", self.class_names)
        return copy

    def class_name(self, row: int) -> str:
        """Name the class of one object: its entry in `class_names`, else its number."""
        class_id = int(self.class_id[row])
        return (
            self.class_names[class_id] if 0 <= class_id < len(self.class_names) else str(class_id)
        )

    def equals(self, other: Detections) -> bool:
        """Compare all arrays bit for bit, and the class names."""
        columns = ("xyxy", "confidence", "class_id", "track_id")
        return self.class_names == other.class_names and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in columns
        )

    def to_supervision(self) -> Any:
        """Convert to `supervision.Detections`, with `tracker_id` and `data["class_name"]`.

        Untracked objects keep `tracker_id` −1; it is None if no object is tracked.

        Raises:
            MissingExtraError: supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise MissingExtraError.of("Detections.to_supervision()", "supervision") from error
        tracked = bool(np.any(self.track_id != UNTRACKED))
        names = np.array([self.class_name(row) for row in range(len(self))], dtype=np.str_)
        return supervision.Detections(
            xyxy=self.xyxy.copy(),
            confidence=self.confidence.copy(),
            class_id=self.class_id.astype(int),
            tracker_id=self.track_id.astype(int) if tracked else None,
            data={"class_name": names},
        )

    @classmethod
    def from_supervision(cls, detections: Any, class_names: tuple[str, ...] = ()) -> Detections:
        """Convert from `supervision.Detections`.

        Args:
            detections: What to convert; masks and other data are left behind.
            class_names: Names by class id. If empty, they are collected from
                `data["class_name"]`; ids that do not occur get their number as name.
        """
        found = detections.data.get("class_name")
        if not class_names and found is not None and detections.class_id is not None:
            by_id = dict(zip(detections.class_id.tolist(), map(str, found), strict=True))
            class_names = tuple(by_id.get(i, str(i)) for i in range(max(by_id, default=-1) + 1))
        return cls(
            xyxy=detections.xyxy,
            confidence=detections.confidence,
            class_id=detections.class_id,
            track_id=detections.tracker_id,
            class_names=class_names,
        )
