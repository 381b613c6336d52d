"""The stage: the one thing a user writes. It knows frames, and nothing of how it is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sightline.scope import Scope

if TYPE_CHECKING:
    from typing import Self

    from sightline.frame import Frame

__all__ = ["Stage"]


class Stage(ABC):
    """One step of a pipeline. Subclass it and write `process`; the rest has defaults.

    A stage object holds its configuration only; what it needs to work it makes in `open()`.
    Runners copy `STREAM` stages (`copy.deepcopy`) before opening them, so that every stream and
    every run has state of its own; `STATELESS` stages are shared.

    Attributes:
        scope: What the result for a frame depends on; see `Scope`.
        concurrency: How many threads may be inside `process` at once. Raise it only for a
            `STATELESS` stage whose `process` is thread-safe and releases the GIL.
    """

    scope: Scope = Scope.STATELESS
    concurrency: int = 1
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
            The frame to pass on (`frame.replace(...)`), or None to drop it: later stages and
            sinks do not see it, and the run report counts it.
        """

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
