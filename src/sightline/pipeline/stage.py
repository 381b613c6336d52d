"""The stage: the one thing a user writes. It knows frames, and nothing of how it is run."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sightline.errors import PipelineError
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from sightline.frame import Frame

__all__ = ["Stage", "copy_of"]


class Stage(ABC):
    """One step of a pipeline. Subclass it and write `process`; the rest has defaults.

    A stage object holds its configuration only; what it needs to work it makes in `open()`.
    Runners copy `STREAM` stages (`copy.deepcopy`) before opening them, so that every stream and
    every run has state of its own; `STATELESS` stages are shared.

    Attributes:
        scope: What the result for a frame depends on; see `Scope`.
        concurrency: How many threads may be inside `process` at once. Raise it only for a
            `STATELESS` stage whose `process` is thread-safe and releases the GIL.
        batch_size: How many frames a runner may hand to `process_batch` at once.
        changes_image: False promises that `process` returns frames with the image that it got;
            a runner then needs no memory for another one. A broken promise is a failed frame.
        reads_image: False promises that `process` looks at no pixels, neither of `frame.image` nor
            later: a runner that keeps results without images may then give it a frame whose image
            has the right shape, and anything in it.
        changeable: Names of the parameters that `change` accepts.
    """

    scope: Scope = Scope.STATELESS
    concurrency: int = 1
    batch_size: int = 1
    changes_image: bool = True
    reads_image: bool = True
    changeable: frozenset[str] = frozenset()
    name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()

    def open(self) -> None:  # noqa: B027 - an optional hook
        """Load what `process` needs; called before the first frame, and again after `close()`."""

    @abstractmethod
    def process(self, frame: Frame) -> Frame | None:
        """Work on one frame.

        A `STREAM` stage gets every frame of one stream in order, in one thread at a time.

        Args:
            frame: Immutable; its image is read-only. Copy the image to change it.

        Returns:
            The frame to pass on, or None to drop it: later stages and sinks do not see it, and
            the run report counts it. Of the frame, `frame.replace(...)` may change `image`,
            `detections` and `data` only; with another `seq`, `pts`, `time_base` or `stream` it
            fails, whatever runs the stage.
        """

    def process_batch(self, frames: Sequence[Frame]) -> Sequence[Frame | None]:
        """Work on several frames at once; by default, on one after the other.

        For models that are faster with several images. If it raises, its frames are processed
        again, each by `process`, so that only the bad one fails; the inline runner calls nothing
        but `process`.

        Args:
            frames: 1 to `batch_size`, of any streams, images of any sizes.

        Returns:
            For each frame, in the same order, what `process` would return.
        """
        return [self.process(frame) for frame in frames]

    def change(self, /, **parameters: Any) -> None:
        """Change parameters while the stage is in use, from another thread than `process` is.

        A frame that is being processed meanwhile may see old or new values.

        Args:
            parameters: New values by name.

        Raises:
            PipelineError: A parameter is not in `changeable`, or a value is wrong; nothing has
                changed then.
        """
        for name in parameters:
            if name not in self.changeable:
                known = ", ".join(sorted(self.changeable)) or "none"
                raise PipelineError(
                    f"stage {self.name!r} cannot change {name!r} while it runs; changeable: {known}"
                )
        try:
            self.apply_change(parameters)
        except (TypeError, ValueError) as error:
            raise PipelineError(f"stage {self.name!r}: {error}") from error

    def apply_change(self, parameters: Mapping[str, Any]) -> None:
        """Take over new values of `changeable` parameters; by default, sets the attributes.

        Override it to check values (raise `ValueError` before anything is changed), or to set
        something else. What `process` reads once per frame needs no lock.
        """
        for name, value in parameters.items():
            setattr(self, name, value)

    def close(self) -> None:  # noqa: B027 - an optional hook
        """Release what `open()` made; called after the last frame, whatever happened."""

    def describe(self) -> dict[str, Any]:
        """State the stage's configuration as JSON values, for reports."""
        return {"stage": self.name}

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def copy_of(stage: Stage) -> Stage:
    """Copy a stage, not open, for a run or a stream of its own.

    Raises:
        PipelineError: It holds what cannot be copied.
    """
    try:
        return copy.deepcopy(stage)
    except Exception as error:
        raise PipelineError(
            f"stage {stage.name!r} cannot be copied for a stream of its own: {error}; make what "
            "cannot be copied in open()"
        ) from error
