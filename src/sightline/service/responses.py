"""What the service answers: for the OpenAPI document. `presentation` makes the values."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ChunkList",
    "CountsView",
    "DetectionPage",
    "Health",
    "JobList",
    "JobView",
    "PipelineList",
    "PipelineView",
    "Problem",
    "PushStatus",
    "Pushed",
    "ResultList",
    "StreamList",
    "TrackPage",
]

Status = Literal[
    "queued", "running", "finalizing", "canceling", "succeeded", "failed", "canceled", "expired"
]
Box = tuple[float, float, float, float]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemItem(_Exact):
    """One thing that is wrong with the input."""

    pointer: str = Field(description="JSON Pointer to it.")
    detail: str


class Problem(_Exact):
    """An error (RFC 9457)."""

    type: str = Field(description="Stable name of the problem.")
    title: str
    status: int
    detail: str
    instance: str | None = Field(None, description="The request, as the log names it.")
    errors: list[ProblemItem] = []


class SourceView(_Exact):
    """Where the video comes from."""

    name: str
    kind: Literal["url", "upload"]
    url: str | None = Field(description="Without user, password and query.")


class RangeView(_Exact):
    """Which part of the video, in seconds."""

    start_s: float
    end_s: float | None


class ChunksView(_Exact):
    """The pieces of the video that are worked on side by side."""

    total: int
    done: int
    running: int
    failed: int


class ProgressView(_Exact):
    """How far a job is."""

    step: Literal["ingest", "detect", "finalize"] | None
    percent: float | None
    frames_done: int
    frames_total: int | None
    frames_final: int = Field(description="Results are there up to this frame.")
    fps: float | None
    eta_s: float | None
    bytes_done: int
    bytes_total: int | None
    chunks: ChunksView
    queue_position: int | None = Field(description="Queued jobs before this one.")


class FailureView(_Exact):
    """Why a job failed."""

    code: str = Field(description="Stable name.")
    message: str


class VideoView(_Exact):
    """What is known of the video."""

    container: str
    codec: str
    width: int
    height: int
    frame_rate: float | None
    duration_s: float | None
    frames: int | None
    size_bytes: int
    sha256: str
    playable: bool


class LinksView(_Exact):
    """Where to go from a job."""

    self: str
    events: str
    cancel: str
    retry: str
    results: str
    page: str


class JobView(_Exact):
    """A job."""

    id: str
    status: Status
    terminal: bool
    source: SourceView
    pipeline: str
    params: dict[str, Any]
    outputs: list[str]
    labels: dict[str, str]
    priority: Literal["normal", "interactive"]
    range: RangeView
    progress: ProgressView
    partial: bool = Field(description="The results cover the beginning of the video only.")
    warnings: list[str]
    error: FailureView | None
    video: VideoView | None
    summary: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    version: int = Field(description="Grows with every change.")
    links: LinksView


class JobList(_Exact):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    next_cursor: str | None


class ChunkView(_Exact):
    """A piece of the video."""

    number: int
    status: Literal["waiting", "ready", "leased", "done", "failed", "canceled"]
    attempt: int
    frames_done: int
    frames_total: int | None
    begin_pts: int | None
    end_pts: int | None
    error: FailureView | None


class ChunkList(_Exact):
    """The chunks of a job, in the order of the video."""

    chunks: list[ChunkView]


class PipelineView(BaseModel):
    """A pipeline that can be chosen; what else is in it depends on the pipeline."""

    name: str
    summary: str
    default: bool
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of its parameters.")


class PipelineList(_Exact):
    """The pipelines that can be chosen."""

    pipelines: list[PipelineView]


class Pushed(_Exact):
    """The short form's answer to a submission."""

    id: str
    status: Status
    source_name: str


class PushStatus(_Exact):
    """The short form's answer to a question."""

    id: str
    status: Status
    progress: float | None = Field(description="0 to 100; null while it is not known.")
    result: dict[str, Any] | None = Field(None, description="The content of tracks.json.")
    error: str | None = None


class StreamView(BaseModel):
    """A stream of a running real-time graph."""

    name: str
    run: str


class StreamList(_Exact):
    """The streams of all real-time graphs that run on this machine."""

    streams: list[StreamView]


class TrackView(_Exact):
    """A track, as far as the results reach."""

    track_id: int
    class_id: int
    class_: str = Field(alias="class")
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    frames: int = Field(description="In how many it was seen.")
    confidence_mean: float
    confidence_max: float
    first_box: Box
    last_box: Box


class TrackPage(_Exact):
    """A page of tracks."""

    tracks: list[TrackView]
    next_cursor: str | None


class DetectionView(_Exact):
    """An object in a frame."""

    frame: int
    time_s: float
    box: Box = Field(description="Left, top, right, bottom in pixels.")
    confidence: float
    class_id: int
    class_: str = Field(alias="class")
    track_id: int | None


class DetectionPage(_Exact):
    """A page of detections."""

    detections: list[DetectionView]
    next_cursor: str | None


class CountBinView(_Exact):
    """The objects within a span of time, by class."""

    start_s: float
    end_s: float
    frames: int
    objects: dict[str, int] = Field(description="In all frames together.")
    most: dict[str, int] = Field(description="The most in one frame.")


class CountsView(_Exact):
    """The objects of each class over time."""

    bins: list[CountBinView]


class ResultView(_Exact):
    """A file that can be downloaded."""

    format: str
    name: str
    size: int
    media_type: str
    url: str


class ResultList(_Exact):
    """The files that can be downloaded."""

    results: list[ResultView]


class Health(_Exact):
    """The service can do its work."""

    status: Literal["ok"]
