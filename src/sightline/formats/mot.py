"""Rows of the MOT Challenge: one line of text per object and frame. It knows no sink, no score.

    frame,id,left,top,width,height,confidence,x,y,z

Frames count from 1. `left` and `top` are taken as they stand, from 0; (`x`, `y`, `z`) is a place
in the world, −1 where unknown. In ground truth, `confidence` is a flag: 0 marks a box to ignore;
later editions of the benchmark hold other columns after it, which are not read here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["MotRow", "MotRows", "format_mot_row", "parse_mot_row", "read_mot"]

_COLUMNS = range(7, 11)
_LARGEST = 2**53
MotRow = tuple[int, int, tuple[float, float, float, float], float]
"""Frame, track id, box as left, top, right, bottom, confidence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotRows:
    """The rows of one sequence, in the order of the file; all arrays have one row per object.

    Attributes:
        frame: int64 (N,), number of the frame, from 1.
        track_id: int64 (N,), −1 for an object that is on no track.
        xyxy: float64 (N, 4), boxes as left, top, right, bottom in pixels.
        confidence: float64 (N,); in ground truth 0 marks boxes to ignore.
    """

    frame: NDArray[np.int64]
    track_id: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def __post_init__(self) -> None:
        length = len(self.frame)
        for name, shape in (("track_id", ()), ("xyxy", (4,)), ("confidence", ())):
            if getattr(self, name).shape != (length, *shape):
                raise ValueError(
                    f"{name} must have shape {(length, *shape)}, one row per entry of frame, "
                    f"but has {getattr(self, name).shape}"
                )

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> MotRows:
        """Select rows by boolean mask or index array."""
        return MotRows(
            frame=self.frame[rows],
            track_id=self.track_id[rows],
            xyxy=self.xyxy[rows],
            confidence=self.confidence[rows],
        )

    def by_frame(self) -> dict[int, MotRows]:
        """Group the rows by frame, in ascending order; frames without objects do not occur."""
        order = np.argsort(self.frame, kind="stable")
        frames, starts = np.unique(self.frame[order], return_index=True)
        groups = np.split(order, starts[1:])
        return {frame: self[rows] for frame, rows in zip(frames.tolist(), groups, strict=False)}


def format_mot_row(
    frame: int, track_id: int, xyxy: Sequence[float], *, confidence: float = 1.0
) -> str:
    """Write one row, without a line end: 3 decimals for boxes, 4 for the confidence.

    >>> format_mot_row(1, 7, (10.0, 20.5, 12.25, 30.0), confidence=0.875)
    '1,7,10.000,20.500,2.250,9.500,0.8750,-1,-1,-1'
    """
    left, top, right, bottom = xyxy
    return (
        f"{frame},{track_id},{left:.3f},{top:.3f},{right - left:.3f},{bottom - top:.3f},"
        f"{confidence:.4f},-1,-1,-1"
    )


def parse_mot_row(line: str) -> MotRow:
    """Read one row of 7 to 10 columns: frame, track id, box as xyxy, confidence.

    Raises:
        FormatError: The line is not such a row.

    >>> parse_mot_row("1,7,10.0,20.5,2.25,9.5,0.875,-1,-1,-1")
    (1, 7, (10.0, 20.5, 12.25, 30.0), 0.875)
    """
    columns = line.split(",")
    if len(columns) not in _COLUMNS:
        raise FormatError(f"expected 7 to 10 columns, but found {len(columns)}: {line.strip()!r}")
    frame = _whole_number(columns[0], "the frame", least=1)
    track_id = _whole_number(columns[1], "the id", least=-1)
    left, top, width, height, confidence = map(_number, columns[2:7])
    if width < 0 or height < 0:
        raise FormatError(f"width and height must not be negative, but are {width} and {height}")
    return frame, track_id, (left, top, left + width, top + height), confidence


def _whole_number(text: str, name: str, *, least: int) -> int:
    """Read a number that may be written with decimals, as some tools do with all columns."""
    number = _number(text)
    if not (number.is_integer() and least <= number <= _LARGEST):
        raise FormatError(f"{name} must be a whole number from {least}, but is {text.strip()}")
    return int(number)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise FormatError(f"expected a number, but found {text.strip()!r}") from None
    if not math.isfinite(number):
        raise FormatError(f"expected a finite number, but found {text.strip()!r}")
    return number


def read_mot(path: str | PathLike[str]) -> MotRows:
    """Read a file of MOT Challenge rows; empty lines are skipped.

    Raises:
        FormatError: The file cannot be read, or a line is not a row; the message names both.
    """
    path = Path(path)
    rows = []
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    rows.append(_row_of_file(line, path, number))
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror}") from error
    frame, track_id, xyxy, confidence = zip(*rows, strict=True) if rows else ((), (), (), ())
    return MotRows(
        frame=np.array(frame, np.int64),
        track_id=np.array(track_id, np.int64),
        xyxy=np.array(xyxy, np.float64).reshape(-1, 4),
        confidence=np.array(confidence, np.float64),
    )


def _row_of_file(line: str, path: Path, number: int) -> MotRow:
    try:
        return parse_mot_row(line)
    except FormatError as error:
        raise FormatError(f"{path} line {number}: {error}") from None
