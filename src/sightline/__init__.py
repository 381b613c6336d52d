"""Sightline runs computer-vision pipelines over video: inline, in real time, and as jobs."""

from sightline.client.answers import RemoteJob
from sightline.client.asynchronous import AsyncClient
from sightline.client.options import JobOptions
from sightline.client.sync import Client
from sightline.detections import UNTRACKED, Detections
from sightline.errors import (
    DownloadError,
    FormatError,
    GraphError,
    LinkError,
    MediaError,
    MissingExtraError,
    ModelError,
    OutputError,
    PipelineError,
    ProtocolError,
    ServiceError,
    SharedMemoryError,
    SightlineError,
    StageError,
    StaleSlotError,
)
from sightline.frame import Frame, Image
from sightline.live.web import Web
from sightline.live.window import Window
from sightline.media.opening import open_source
from sightline.pipeline.definition import load_definition
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.inline import InlineRun, RunOptions
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.report import RunReport
from sightline.pipeline.stage import Stage
from sightline.pipeline.stages import Detect, Draw, Track
from sightline.pipeline.stream_spec import StreamSpec
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
    "AsyncClient",
    "Client",
    "CocoFile",
    "CsvFile",
    "Detect",
    "Detections",
    "DownloadError",
    "Draw",
    "FormatError",
    "Frame",
    "GraphError",
    "GraphOptions",
    "Image",
    "InlineRun",
    "JobOptions",
    "JsonlFile",
    "LinkError",
    "Losses",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "MotFile",
    "OutputError",
    "ParquetFile",
    "PerObject",
    "Pipeline",
    "PipelineError",
    "ProtocolError",
    "RemoteJob",
    "RunOptions",
    "RunReport",
    "Scope",
    "ServiceError",
    "Settings",
    "SharedMemoryError",
    "SightlineError",
    "Sort",
    "Stage",
    "StageError",
    "StaleSlotError",
    "StreamInfo",
    "StreamSpec",
    "Track",
    "TracksFile",
    "VideoFile",
    "Web",
    "Window",
    "__version__",
    "load_definition",
    "open_source",
    "track",
]
