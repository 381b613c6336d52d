"""Every exception that Sightline raises on purpose, and nothing else.

    SightlineError
    ├── MediaError            a video, image folder, camera or stream cannot be used
    ├── ModelError            a model file or model name cannot be used
    │   └── DownloadError     a catalogue model cannot be fetched or fails verification
    ├── PipelineError         a pipeline definition is wrong
    ├── StageError            a stage raised while processing a frame
    ├── OutputError           a sink cannot write its output
    ├── GraphError            a real-time graph cannot be started or cannot go on
    │   ├── LinkError         a node cannot be reached, or an address is wrong
    │   ├── ProtocolError     a message is malformed, or of another version
    │   ├── SharedMemoryError shared memory cannot be had or used
    │   └── StaleSlotError    the pixels that a message refers to have been replaced
    ├── ServiceError          a job service cannot be reached, or refuses
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
    "ServiceError",
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


class GraphError(SightlineError, RuntimeError):
    """A real-time graph cannot be started, or cannot go on."""


class LinkError(GraphError, OSError):
    """A node cannot be reached, or its address makes no sense."""


class ProtocolError(GraphError, ValueError):
    """A message is malformed, or of a version of the protocol that is not spoken here."""


class SharedMemoryError(GraphError, OSError):
    """Shared memory cannot be had, or is not what it should be."""


class StaleSlotError(GraphError):
    """The pixels that a message refers to have been replaced by those of another frame."""


class FormatError(SightlineError, ValueError):
    """A file of results or ground truth cannot be read, or does not hold what it must."""


class ServiceError(SightlineError, RuntimeError):
    """A job service cannot be reached, or refuses what it was asked.

    Attributes:
        status: Its HTTP status; None if it did not answer.
        code: Its stable name of the problem, such as `unknown-job`; "" if it gave none.
    """

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class MissingExtraError(SightlineError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, feature: str, extra: str) -> "MissingExtraError":
        """Say which feature needs which extra, and how to install it."""
        return cls(f"{feature} needs an optional dependency: pip install 'sightline[{extra}]'")
