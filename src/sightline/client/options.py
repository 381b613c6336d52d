"""What a client says about a job besides its video."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["JobOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a video is to be processed; what is None is left to the service.

    Attributes:
        source_name: How to call the video; None: as its file or address.
        pipeline: Name of one of the service's pipelines.
        params: Parameters of the pipeline, by name; the service publishes their JSON Schema.
        outputs: Output formats, such as `mot` and `video`.
        start_s: Leave out what is shown earlier, in seconds after the first frame.
        end_s: Leave out what is shown then or later.
        max_failures: Frames that may fail before the job does.
        labels: Names and values of your own, to find the job by.
        webhook_url: Where the service is to tell of the end.
        priority: `interactive`: somebody waits for it, so that it comes before those that are
            `normal`.
    """

    source_name: str | None = None
    pipeline: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] | None = None
    start_s: float | None = None
    end_s: float | None = None
    max_failures: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    priority: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the part of the request that they make up."""
        return {key: value for key, value in asdict(self).items() if value not in (None, {})}
