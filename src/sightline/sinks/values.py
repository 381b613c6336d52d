"""A frame's objects as plain values, rounded once and alike for all text formats.

Coordinates keep 3 decimals (a thousandth of a pixel), confidences 4, times 6: files hold `0.3`
where the float32 would print as `0.30000001192092896`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from sightline.detections import UNTRACKED
from sightline.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from sightline.detections import Detections
    from sightline.frame import Frame

__all__ = ["ObjectValues", "Untracked", "check_untracked", "objects_of", "time_of", "wanted"]

Untracked = Literal["skip", "write"]
"""What a table of tracks does with objects that are on no track; `write` gives them the id −1."""


class ObjectValues(NamedTuple):
    """One object of a frame; see `Detections` for what the values mean."""

    xyxy: list[float]
    confidence: float
    class_id: int
    class_name: str
    track_id: int


def objects_of(frame: Frame) -> Sequence[ObjectValues]:
    """List the objects of a frame in the order of its detections.

    Raises:
        OutputError: A box or confidence is not finite, which text formats cannot express.
    """
    return _objects_of(frame.detections, frame.seq)


@lru_cache(maxsize=8)  # all sinks of a run ask for one frame in turn; a few runs may write at once
def _objects_of(found: Detections, seq: int) -> Sequence[ObjectValues]:
    class_ids = found.class_id.tolist()
    names = found.class_names
    columns = zip(
        _rounded(found.xyxy, 3, seq),
        _rounded(found.confidence, 4, seq),
        class_ids,
        [names[i] if 0 <= i < len(names) else str(i) for i in class_ids],
        found.track_id.tolist(),
        strict=True,
    )
    return tuple(map(ObjectValues._make, columns))


def _rounded(values: NDArray[np.float32], decimals: int, seq: int) -> list[Any]:
    if not np.isfinite(values).all():
        raise OutputError(f"frame {seq} has a box or confidence that is not a finite number")
    # Adding 0 turns −0.0 into 0.0.
    rounded: list[Any] = (values.astype(np.float64).round(decimals) + 0.0).tolist()
    return rounded


def wanted(objects: Iterable[ObjectValues], untracked: Untracked) -> Iterable[ObjectValues]:
    """Leave out what does not belong into a table of tracks."""
    if untracked == "write":
        return objects
    return (found for found in objects if found.track_id != UNTRACKED)


def check_untracked(untracked: Untracked) -> Untracked:
    """Return the choice if it is one.

    >>> check_untracked("keep")
    Traceback (most recent call last):
        ...
    ValueError: untracked must be 'skip' or 'write', but is 'keep'
    """
    if untracked not in get_args(Untracked):
        raise ValueError(f"untracked must be 'skip' or 'write', but is {untracked!r}")
    return untracked


def time_of(frame: Frame) -> float:
    """Return the presentation time in seconds, to the microsecond."""
    return round(frame.time_s, 6)
