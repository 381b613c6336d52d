"""Cutting a pipeline into steps by the scopes of its stages: what goes to handlers, what stays.

    stateless … │ PerObject │ stateless … │ stream stage and what follows │ PerObject │ …
    ────────────┼───────────┼─────────────┼───────────────────────────────┼───────────┼────────
      FRAMES    │  OBJECTS  │   FRAMES    │  ORDERED                      │  OBJECTS  │ ORDERED

A plan ends with an `ORDERED` step, be it empty: there the sinks are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sightline.pipeline.per_object import PerObject
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.pipeline.stage import Stage

__all__ = ["Step", "StepKind", "batch_size", "handler_stages", "make_plan", "makes_images"]


class StepKind(Enum):
    """Where a step is done, and on what."""

    FRAMES = "whole frames, on any handler"
    OBJECTS = "one object of a frame at a time, on any handler"
    ORDERED = "the frames of one stream in order, where the sinks are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Stages that a frame passes in one place.

    Attributes:
        kind: Where.
        stages: With their names; exactly one, a `PerObject`, in an `OBJECTS` step.
    """

    kind: StepKind
    stages: tuple[tuple[str, Stage], ...]


def make_plan(named_stages: Sequence[tuple[str, Stage]], *, spread: bool = True) -> list[Step]:
    """Cut a pipeline into steps.

    Args:
        named_stages: The stages of the pipeline with their names.
        spread: Give the objects of a frame to several handlers; otherwise the handler that has
            the frame does them all.
    """
    steps: list[Step] = []
    ordered = False
    for name, stage in named_stages:
        ordered = ordered or stage.scope is Scope.STREAM
        if spread and isinstance(stage, PerObject):
            kind = StepKind.OBJECTS
        else:
            kind = StepKind.ORDERED if ordered else StepKind.FRAMES
        if steps and steps[-1].kind is kind is not StepKind.OBJECTS:
            steps[-1] = Step(kind=kind, stages=(*steps[-1].stages, (name, stage)))
        else:
            steps.append(Step(kind=kind, stages=((name, stage),)))
    if not steps or steps[-1].kind is not StepKind.ORDERED:
        steps.append(Step(kind=StepKind.ORDERED, stages=()))
    return steps


def handler_stages(steps: Sequence[Step]) -> dict[str, Stage]:
    """List the stages that handlers open, by name: those of all steps but the ordered ones."""
    return {
        name: stage
        for step in steps
        if step.kind is not StepKind.ORDERED
        for name, stage in step.stages
    }


def makes_images(steps: Sequence[Step]) -> bool:
    """Tell whether a handler may make new images, for which slots should be granted."""
    return any(stage.changes_image for stage in handler_stages(steps).values())


def batch_size(steps: Sequence[Step]) -> int:
    """Tell how many frames are worth taking at once for a handler."""
    return max((stage.batch_size for stage in handler_stages(steps).values()), default=1)
