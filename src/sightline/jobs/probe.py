"""The process that looks at a stranger's video: `python -m sightline.jobs.probe`.

It waits for one request on its standard input, gives up what it will not need, looks at the video,
writes one answer, and ends. So whatever a hostile file does to a decoder happens in a process that
has no environment, no network, no open file of the service, and little memory and time.

    standard input    one line: an `InspectionRequest` as JSON; none if it is not needed
    standard output   one line: a `ProbeAnswer` as JSON
    the descriptor that its argument names: closed as soon as it can take the request
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass

import msgspec

from sightline.errors import MediaError
from sightline.jobs.confinement import confine
from sightline.jobs.inspection import Inspection, InspectionRequest, inspect_video
from sightline.jobs.model import Failure
from sightline.jobs.sniff import SourceError

__all__ = ["ProbeAnswer", "main"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What the process says: one of the two.

    Attributes:
        found: What the video is.
        refused: Why it is not taken.
    """

    found: Inspection | None = None
    refused: Failure | None = None


def main() -> None:
    """Answer one request."""
    os.close(int(sys.argv[1]))
    line = sys.stdin.buffer.readline()
    if not line:  # the service has ended without needing this process
        return
    request = msgspec.json.decode(line, type=InspectionRequest)
    refusal = _refusal(request.limits.memory_bytes)  # made while there is memory to make it
    try:
        confine(request.limits)
        said = msgspec.json.encode(_answer(request))
    except (MemoryError, ImportError):  # or a library of the decoder that could not be mapped
        said = refusal
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        said = refusal
    os.write(1, said)
    os._exit(0)  # taking the interpreter down would cost as much as a short video


def _refusal(memory_bytes: int) -> bytes:
    message = f"looking at the video takes more than {memory_bytes} bytes of memory"
    failure = Failure(code="source-over-limit", message=message)
    return msgspec.json.encode(ProbeAnswer(refused=failure))


def _answer(request: InspectionRequest) -> ProbeAnswer:
    try:
        return ProbeAnswer(found=inspect_video(request))
    except SourceError as error:
        refusal = Failure(code=error.code, message=str(error))
    except MediaError as error:
        refusal = Failure(code="source-unreadable", message=str(error))
    return ProbeAnswer(refused=refusal)


if __name__ == "__main__":
    main()
