"""Why jobs fail: the codes that clients see, and which of our exceptions is which.

Codes are part of the API and stay as they are; messages may change.
"""

from __future__ import annotations

import errno
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import (
    DownloadError,
    FormatError,
    MediaError,
    MissingExtraError,
    ModelError,
    OutputError,
    PipelineError,
    SightlineError,
    StageError,
)
from sightline.fetch.errors import FetchCode, FetchError
from sightline.jobs.artifacts import ArtifactError
from sightline.jobs.model import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FAILURE_CODES", "FailureCode", "failure_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailureCode:
    """What a code says.

    Attributes:
        meaning: What happened, for the documentation.
        again: Another attempt may end better, so that the service makes one by itself; of fetching,
            each error says so itself.
    """

    meaning: str
    again: bool = False


FAILURE_CODES: dict[str, FailureCode] = {
    # The source, while it is fetched: "source-" and a `fetch.errors.FetchCode`.
    "source-bad-url": FailureCode("The address of the video makes no sense."),
    "source-address-refused": FailureCode("The service does not fetch from that address."),
    "source-unreachable": FailureCode("The server of the video cannot be reached.", again=True),
    "source-tls": FailureCode("The server of the video cannot prove that it is the right one."),
    "source-too-many-redirects": FailureCode("The address of the video leads in circles."),
    "source-not-found": FailureCode("The server of the video has nothing at that address."),
    "source-bad-status": FailureCode("The server of the video refuses, or fails.", again=True),
    "source-bad-answer": FailureCode("The answer of the server of the video makes no sense."),
    "source-interrupted": FailureCode("The transfer of the video broke off.", again=True),
    "source-too-large": FailureCode("The video has more bytes than the service takes."),
    "source-too-slow": FailureCode("The server of the video is too slow.", again=True),
    # The source, once it is there.
    "source-not-video": FailureCode("What was fetched or uploaded is no video."),
    "source-unreadable": FailureCode("The video cannot be read or decoded."),
    "source-over-limit": FailureCode(
        "The video has more pixels, frames or seconds than the service takes, or needs more "
        "memory or time to be looked at.",
    ),
    # The work.
    "pipeline-invalid": FailureCode("The pipeline cannot be built from its definition."),
    "model-unavailable": FailureCode("The model cannot be downloaded at the moment.", again=True),
    "model-unusable": FailureCode("The model cannot be loaded."),
    "stage-failed": FailureCode("A stage failed on more frames than the job allows."),
    "output-failed": FailureCode("A result cannot be written."),
    "too-many-objects": FailureCode("A frame has more objects than the service takes."),
    "too-many-tracks": FailureCode("There are more tracks than the service takes."),
    # The service.
    "feature-missing": FailureCode("The service lacks an optional dependency."),
    "storage-full": FailureCode("The disk of the service is full.", again=True),
    "storage-unavailable": FailureCode(
        "The store of the service's files cannot be used at the moment.", again=True
    ),
    "out-of-memory": FailureCode("The service ran out of memory.", again=True),
    "worker-lost": FailureCode("The worker died, or hung and was killed.", again=True),
    "internal-error": FailureCode("A defect of the service; its log says more.", again=True),
}
"""Every code that a job's failure can have."""

_CODE_OF: tuple[tuple[type[BaseException], str], ...] = (
    (DownloadError, "model-unavailable"),
    (ModelError, "model-unusable"),
    (MediaError, "source-unreadable"),
    (PipelineError, "pipeline-invalid"),
    (StageError, "stage-failed"),
    (OutputError, "output-failed"),
    (FormatError, "output-failed"),
    (MissingExtraError, "feature-missing"),
    (ArtifactError, "storage-unavailable"),
)
"""The first that fits counts."""

_GENERIC = {
    "internal-error": "the service failed unexpectedly; its log says more",
    "out-of-memory": "the service ran out of memory",
    "storage-full": "the disk of the service is full",
    "storage-unavailable": "the store of the service's files cannot be used at the moment",
}
_OPENCV_NO_MEMORY = -4
_ONNX_NO_MEMORY = ("Failed to allocate memory", "bad_alloc")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PATH = re.compile(r"(?<![\w:/.])/(?:[^\s/:'\"]+/)+[^\s/:'\",;)]*")


def failure_of(error: Exception, *, names: Mapping[str, str] | None = None) -> tuple[Failure, bool]:
    """Say why a task failed, so that a client may see it.

    What is not one of our own errors is a defect: its text stays in the log.

    Args:
        error: What the task raised.
        names: What to put in place of which text, such as the name of the video for its path;
            other absolute paths are replaced by "(a file)".

    Returns:
        The failure, and whether another attempt is worth it.
    """
    code = _code(error)
    if code == "internal-error":
        _log.error("a task failed unexpectedly", exc_info=error)
    elif isinstance(error, ArtifactError):
        _log.warning("a task met the store: %s", error)
    text = _GENERIC.get(code) or _shown(str(error), names or {})
    again = error.again if isinstance(error, FetchError) else FAILURE_CODES[code].again
    return Failure(code=code, message=text), again


def _code(error: Exception) -> str:
    if any(isinstance(e, OSError) and e.errno in _DISK_FULL for e in _chain(error)):
        return "storage-full"
    if any(_is_out_of_memory(e) for e in _chain(error)):
        return "out-of-memory"
    if isinstance(error, FetchError):
        return "storage-full" if error.code is FetchCode.NO_SPACE else f"source-{error.code}"
    own = getattr(error, "code", None)
    if isinstance(error, SightlineError) and own in FAILURE_CODES:
        return str(own)
    return next((code for kind, code in _CODE_OF if isinstance(error, kind)), "internal-error")


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was refused; OpenCV and ONNX Runtime have their own ways to say it."""
    library = type(error).__module__.partition(".")[0]
    return (
        isinstance(error, MemoryError)
        or (library == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY)
        or (library == "onnxruntime" and any(text in str(error) for text in _ONNX_NO_MEMORY))
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _shown(text: str, names: Mapping[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return _PATH.sub("(a file)", text)
