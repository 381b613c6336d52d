"""Which stages of a pipeline are done in chunks, in any order, and which in the final pass."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.stage import Stage

__all__ = ["Split", "split"]

_FORMATS_OF_IMAGES = frozenset({"video"})

NamedStage = tuple[str, "Stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A pipeline in two parts.

    Attributes:
        chunk_stages: With their names in the pipeline; none if the first stage needs the frames in
            order: then there is nothing to do in chunks.
        final_stages: The stages after them.
        final_reads_images: The final pass needs the pixels of the video, be it for a stage or for
            an output; otherwise the results of the chunks are all it needs.
    """

    chunk_stages: tuple[NamedStage, ...]
    final_stages: tuple[NamedStage, ...]
    final_reads_images: bool


def split(pipeline: Pipeline, *, outputs: Iterable[str] = ()) -> Split:
    """Divide the stages of a pipeline; it need not be open.

    Chunks keep no images. So their stages are the leading `STATELESS` ones up to the first that
    may make an image, if something after that one looks at images; and all leading `STATELESS`
    stages otherwise.

    Args:
        pipeline: The pipeline.
        outputs: Output formats of the job, of `pipeline.outputs.ALL_FORMATS`.

    >>> from sightline.pipeline.pipeline import Pipeline
    >>> from sightline.pipeline.stages import Detect, Draw, Track
    >>> parts = split(Pipeline([Detect("demo"), Track(), Draw()]), outputs=["video"])
    >>> [name for name, _ in parts.chunk_stages], parts.final_reads_images
    (['detect'], True)
    """
    stages = tuple(pipeline.named_stages)
    images_written = not _FORMATS_OF_IMAGES.isdisjoint(outputs)
    for wanted in (_is_stateless, _keeps_image):
        chunk_stages = tuple(takewhile(wanted, stages))
        rest = stages[len(chunk_stages) :]
        reads_images = images_written or any(stage.reads_image for _, stage in rest)
        if not (reads_images and any(stage.changes_image for _, stage in chunk_stages)):
            break
    return Split(chunk_stages=chunk_stages, final_stages=rest, final_reads_images=reads_images)


def _is_stateless(named: NamedStage) -> bool:
    return named[1].scope is Scope.STATELESS


def _keeps_image(named: NamedStage) -> bool:
    return _is_stateless(named) and not named[1].changes_image
