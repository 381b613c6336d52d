"""Jobs and their tasks as values. They know no database; stores give them out and take them.

Times are seconds since 1970. What is JSON stays JSON: dicts and lists of plain values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.jobs.states import JobState, Priority, TaskKind, TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.jobs.states import Queue

__all__ = ["Failure", "Job", "JobSpec", "Lease", "Progress", "Span", "Task", "VideoFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a client asked for, checked; it does not change after the job was accepted.

    Attributes:
        source_name: How the client calls the video; any text, not to be trusted.
        source_url: Where to fetch it; None if it was uploaded.
        upload: Name of the upload that holds it; None if it is to be fetched.
        pipeline: Name of the pipeline that was asked for.
        params: Its parameters, complete, as the client may see them.
        definition: The pipeline itself, in the form of a pipeline file; nothing of it comes from
            the client unchecked.
        tracked: The results have track ids.
        outputs: Output formats to make, of `pipeline.outputs.ALL_FORMATS`.
        start_s: Leave out what is shown earlier, in seconds after the first frame.
        end_s: Leave out what is shown then or later; None: to the end.
        max_failures: Frames on which a stage may raise before the job fails.
        labels: The client's own names and values.
        webhook_url: Where to tell of the end; None: nowhere.
        priority: Whether it comes before others.
    """

    source_name: str
    source_url: str | None = None
    upload: str | None = None
    pipeline: str
    params: Mapping[str, Any]
    definition: Mapping[str, Any]
    tracked: bool = True
    outputs: tuple[str, ...]
    start_s: float = 0.0
    end_s: float | None = None
    max_failures: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    priority: Priority = Priority.NORMAL

    def __post_init__(self) -> None:
        if (self.source_url is None) == (self.upload is None):
            raise ValueError("a job has either a source_url or an upload")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What ingest found out about the video.

    Attributes:
        container: Name of the container format.
        codec: Name of the video codec.
        width: Pixels, rotation applied.
        height: Pixels, rotation applied.
        frame_rate: Nominal frames per second; None where unknown.
        duration_s: Seconds; None where unknown.
        frames: Expected number of frames of the job; None where unknown.
        size_bytes: Size of the file.
        sha256: Digest of the file, hexadecimal.
        playable: A browser can play the file as it is.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which frames of a video a chunk owns: those with `begin_pts <= pts < end_pts`.

    Attributes:
        begin_pts: In ticks of the stream; None: from the first frame of the job.
        end_pts: In ticks of the stream; None: to the last frame of the job.
        seek_pts: Timestamp of the key frame to begin reading at; None: at the beginning.
        frames: Expected number of frames; None where unknown.
    """

    begin_pts: int | None = None
    end_pts: int | None = None
    seek_pts: int | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job or task failed, fit to be shown to the client.

    Attributes:
        code: Stable name for programs, such as `source-not-found`; see `jobs.failures`.
        message: One sentence for people; without credentials and paths of the server.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is; kept on its row by the store.

    Attributes:
        step: What is being done: "ingest", "detect" or "finalize"; None before and after.
        frames_done: Frames that went through the chunks' stages; in the final pass of a pipeline
            without such stages, through that.
        frames_total: Expected number; None where unknown.
        bytes_done: Of the video, while it is fetched.
        bytes_total: None where unknown.
        chunks_total: Number of chunks; 0 before ingest is done, or if there are none.
        chunks_done: Finished ones.
        chunks_running: Leased ones.
        chunks_failed: Failed ones.
        frames_final: Frames that went through the final pass, in its current or last attempt.
        frames_kept: Frames of the results that were published last; 0 if there are none.
        detect_since: When the first frame was begun, since the job was tried again if it was;
            None before.
        detect_from: Of `frames_done`, those that were done already then.
    """

    step: str | None = None
    frames_done: int = 0
    frames_total: int | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    chunks_total: int = 0
    chunks_done: int = 0
    chunks_running: int = 0
    chunks_failed: int = 0
    frames_final: int = 0
    frames_kept: int = 0
    detect_since: float | None = None
    detect_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands.

    Attributes:
        id: Unique; sorts by time of creation.
        owner: Identity of the key that submitted it; "" where no keys are needed.
        spec: What was asked for.
        state: Where it stands.
        version: Grows with every change, also of the progress.
        created_at: When it was accepted.
        started_at: When its first task was begun; None before.
        finished_at: When it came to a terminal state; None before.
        expires_at: When its results are removed; None before the end, or never.
        progress: How far it is.
        video: What ingest found; None before.
        failure: Why it failed, or is failing.
        partial: Its results cover the beginning of the video only.
        warnings: Sentences for people, such as on lost frames.
        summary: What the final pass reports; JSON.
    """

    id: str
    owner: str = ""
    spec: JobSpec
    state: JobState = JobState.QUEUED
    version: int = 1
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    progress: Progress = field(default_factory=Progress)
    video: VideoFacts | None = None
    failure: Failure | None = None
    partial: bool = False
    warnings: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of a job's work that one worker does at a time.

    Attributes:
        job_id: The job.
        kind: What it is.
        queue: Where it waits for a worker.
        number: 0, 1, 2 … among the chunks, in the order of the video; 0 for the others.
        state: Where it stands.
        span: Which frames a chunk owns.
        attempt: How often it was begun, leases given back unharmed not counted.
        worker: Who has the lease, or had the last one.
        leased_until: When the lease ends unless it is renewed; None without one.
        not_before: Not to be begun earlier.
        frames_done: Progress of the current or last attempt.
        result: Token of the result: which attempt's output counts; None before it is done.
        failure: Why the last attempt failed.
        warnings: What its result has to tell the client.
    """

    job_id: str
    kind: TaskKind
    queue: Queue
    number: int = 0
    state: TaskState = TaskState.WAITING
    span: Span = field(default_factory=Span)
    attempt: int = 0
    worker: str | None = None
    leased_until: float | None = None
    not_before: float = 0.0
    frames_done: int = 0
    result: str | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do a task, for a while; what a worker is given.

    Attributes:
        token: Unique to this lease; names the files that the attempt writes.
        task: The task, leased.
        job: Its job at that time.
    """

    token: str
    task: Task
    job: Job
