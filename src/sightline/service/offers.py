"""What clients of a service may choose, of what its operator says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.jobs.detect_track import DetectTrack
from sightline.jobs.detectors import AllowedDetectors
from sightline.jobs.pipelines import FilePipeline, Offers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.settings import Settings

__all__ = ["make_offers"]


def make_offers(
    detectors: Sequence[str], pipelines: Mapping[str, Path], settings: Settings
) -> Offers:
    """Offer detecting and tracking with these detectors, and pipeline files by name.

    Raises:
        PipelineError: A pipeline file cannot be used.
        ModelError: A detector cannot be allowed.
    """
    allowed = AllowedDetectors(tuple(detectors), settings=settings)
    files = [FilePipeline(name, path) for name, path in pipelines.items()]
    return Offers([DetectTrack(allowed), *files])
