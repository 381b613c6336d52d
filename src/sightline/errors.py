"""Every exception that Sightline raises on purpose, and nothing else.

    SightlineError
    ├── MediaError            a video, image folder, camera or stream cannot be used
    ├── ModelError            a model file or model name cannot be used
    │   └── DownloadError     a catalogue model cannot be fetched or fails verification
    ├── PipelineError         a pipeline definition is wrong
    ├── StageError            a stage raised while processing a frame
    ├── OutputError           a sink cannot write its output
    ├── FormatError           a file of results or ground truth cannot be read or used
    └── MissingExtraError     an optional dependency is not installed

A message says what failed, the offending value, and what to do; it is one line, fit to be shown
to a user as it is.
"""

__all__ = [
    "DownloadError",
    "FormatError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PipelineError",
    "SightlineError",
    "StageError",
]


class SightlineError(Exception):
    """Base of all errors that Sightline raises on purpose."""


class MediaError(SightlineError, OSError):
    """A video, image folder, camera or stream cannot be opened or read."""


class ModelError(SightlineError, ValueError):
    """A model cannot be found, loaded or understood."""


class DownloadError(ModelError):
    """A catalogue model cannot be fetched, or what was fetched fails verification."""


class PipelineError(SightlineError, ValueError):
    """A pipeline definition names something unknown or passes a wrong parameter."""


class StageError(SightlineError, RuntimeError):
    """A stage raised while processing a frame; the cause is chained.

    Attributes:
        stage: Name of the stage.
        seq: Number of the frame in its stream.
    """

    def __init__(self, message: str, *, stage: str, seq: int) -> None:
        super().__init__(message)
        self.stage = stage
        self.seq = seq


class OutputError(SightlineError, OSError):
    """A sink cannot write its output."""


class FormatError(SightlineError, ValueError):
    """A file of results or ground truth cannot be read, or does not hold what it must."""


class MissingExtraError(SightlineError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, feature: str, extra: str) -> "MissingExtraError":
        """Say which feature needs which extra, and how to install it."""
        return cls(f"{feature} needs an optional dependency: pip install 'sightline[{extra}]'")
