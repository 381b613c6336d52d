"""What a stage may return for a frame, and the checks that it does.

A runner that sends frames to other processes takes back what stages may change, and nothing else.
What would be lost there is refused everywhere, so that results do not depend on the runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import PipelineError
from sightline.frame import Frame

if TYPE_CHECKING:
    from sightline.pipeline.stage import Stage

__all__ = ["check_result", "check_same_frame"]

_KEPT = ("seq", "pts", "time_base", "stream")
"""What says which frame it is."""


def check_result(stage: Stage, frame: Frame, result: Frame | None) -> None:
    """Check what a stage returned for a frame.

    Raises:
        PipelineError: It is no frame, or another one, or has an image in spite of a promise.
    """
    check_same_frame(stage, frame, result)
    if result is not None and not stage.changes_image and result.image is not frame.image:
        raise PipelineError(
            f"stage {stage.name!r} says changes_image = False, but returned another image"
        )


def check_same_frame(stage: Stage, frame: Frame, result: Frame | None) -> None:
    """Check that what a stage returned is the frame that it got, whatever it found there.

    Raises:
        PipelineError: It is no frame, or has another number, time or stream.
    """
    if result is None or result is frame:
        return
    if not isinstance(result, Frame):
        raise PipelineError(
            f"stage {stage.name!r} returned {type(result).__name__}, not a frame or None"
        )
    if (  # a copy by `replace` has the same objects; to compare fractions would take microseconds
        result.seq is not frame.seq
        or result.pts is not frame.pts
        or result.time_base is not frame.time_base
        or result.stream is not frame.stream
    ):
        _compare(stage, frame, result)


def _compare(stage: Stage, frame: Frame, result: Frame) -> None:
    replaced = [
        f"{name} {_shown(getattr(frame, name))} by {_shown(getattr(result, name))}"
        for name in _KEPT
        if getattr(result, name) != getattr(frame, name)
    ]
    if replaced:
        raise PipelineError(
            f"stage {stage.name!r} replaced {', '.join(replaced)}; "
            "stages may change image, detections and data of a frame only"
        )


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
