"""Sightline runs computer-vision pipelines over video: inline, in real time, and as jobs."""

from sightline.detections import UNTRACKED, Detections
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
from sightline.frame import Frame, Image
from sightline.media.opening import open_source
from sightline.pipeline.definition import load_definition
from sightline.pipeline.inline import InlineRun, RunOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.report import RunReport
from sightline.pipeline.stage import Stage
from sightline.pipeline.stages import Detect, Draw, Track
from sightline.pipeline.track import track
from sightline.scope import Scope
from sightline.settings import Settings
from sightline.sinks.coco import CocoFile
from sightline.sinks.csv import CsvFile
from sightline.sinks.jsonl import JsonlFile
from sightline.sinks.mot import MotFile
from sightline.sinks.parquet import ParquetFile
from sightline.sinks.tracks import TracksFile
from sightline.sinks.video import VideoFile
from sightline.stream import Losses, StreamInfo
from sightline.tracking.sort import Sort
from sightline.version import __version__

__all__ = [
    "UNTRACKED",
    "CocoFile",
    "CsvFile",
    "Detect",
    "Detections",
    "DownloadError",
    "Draw",
    "FormatError",
    "Frame",
    "Image",
    "InlineRun",
    "JsonlFile",
    "Losses",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "MotFile",
    "OutputError",
    "ParquetFile",
    "Pipeline",
    "PipelineError",
    "RunOptions",
    "RunReport",
    "Scope",
    "Settings",
    "SightlineError",
    "Sort",
    "Stage",
    "StageError",
    "StreamInfo",
    "Track",
    "TracksFile",
    "VideoFile",
    "__version__",
    "load_definition",
    "open_source",
    "track",
]
