"""The first task of a job: get the video, look at it, and plan the chunks.

    source.TOKEN.part    what the lease TOKEN has fetched so far
    source.TOKEN         the same, complete
    source               the video: a link to the first that is complete, or to the upload

A video that is there is complete, and a later attempt does not fetch it again.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sightline.fetch.download import DownloadLimits, download
from sightline.fetch.policy import AddressPolicy
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.inspection import InspectionRequest
from sightline.jobs.limits import MediaLimits
from sightline.jobs.model import VideoFacts
from sightline.jobs.sniff import SourceError, sniff
from sightline.jobs.split import split
from sightline.jobs.store import Ingested
from sightline.pipeline.definition import parse_definition

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.jobs.files import JobFiles, Storage
    from sightline.jobs.heartbeat import Heartbeat
    from sightline.jobs.model import JobSpec, Lease
    from sightline.jobs.prober import Prober

__all__ = ["IngestOptions", "do_ingest"]

_BLOCK = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How videos are taken in.

    Attributes:
        storage: Where the uploads lie.
        prober: Looks at the videos.
        policy: Which addresses may be fetched from.
        limits: What is taken.
        downloads: When fetching is given up; of its `max_bytes` and that of `limits`, the smaller
            one counts.
        sizes: How large chunks are to be.
    """

    storage: Storage
    prober: Prober
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    limits: MediaLimits = field(default_factory=MediaLimits)
    downloads: DownloadLimits = field(default_factory=DownloadLimits)
    sizes: ChunkSizes = field(default_factory=ChunkSizes)


def do_ingest(
    lease: Lease, files: JobFiles, options: IngestOptions, heartbeat: Heartbeat
) -> Ingested:
    """Get the video of a job into place, look at it, and plan its chunks; blocks.

    Args:
        lease: An ingest task.
        files: Of its job.
        options: How videos are taken in.
        heartbeat: Told of bytes; what it raises ends the task.

    Raises:
        FetchError: The video cannot be fetched.
        SourceError: It cannot be used.
        PipelineError: The job's pipeline cannot be built.
        OSError: It cannot be kept.
    """
    spec = lease.job.spec
    pipeline = parse_definition(spec.definition).pipeline
    in_chunks = bool(split(pipeline, outputs=spec.outputs).chunk_stages)
    digest = _obtain(lease, files, options, heartbeat)
    size = files.source.stat().st_size
    sniff(files.source)
    request = InspectionRequest(
        path=str(files.source.resolve()),
        limits=options.limits,
        start_s=spec.start_s,
        end_s=spec.end_s,
        sizes=options.sizes,
        thumbnail=str(files.thumbnail.resolve()),
    )
    with options.prober.probing(request) as probe:
        digest = digest or _digest(files.source, heartbeat)
        found = probe.result(tick=lambda: heartbeat.report(bytes_done=size, bytes_total=size))
    video = VideoFacts(
        container=found.container,
        codec=found.codec,
        width=found.width,
        height=found.height,
        frame_rate=found.frame_rate,
        duration_s=found.duration_s,
        frames=found.frames,
        size_bytes=size,
        sha256=digest,
        playable=found.playable,
    )
    return Ingested(video=video, spans=found.spans if in_chunks else ())


def _obtain(
    lease: Lease, files: JobFiles, options: IngestOptions, heartbeat: Heartbeat
) -> str | None:
    """Make the video be in its place; return its digest where it is known by now."""
    files.folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(files)
    spec = lease.job.spec
    if files.source.exists():
        if spec.upload is not None:
            _check_size(files.source, options)
        return None
    if spec.upload is not None:
        _take_upload(spec, files, options)
        return None
    assert spec.source_url is not None, "a job has either"
    arrived = files.source.with_name(f"{files.source.name}.{lease.token}")
    largest = min(options.downloads.max_bytes, options.limits.max_bytes)
    done = download(
        spec.source_url,
        arrived,
        policy=options.policy,
        limits=replace(options.downloads, max_bytes=largest),
        on_progress=lambda size, total: heartbeat.report(bytes_done=size, bytes_total=total),
    )
    is_first = _publish(arrived, files.source)
    arrived.unlink()
    return done.sha256 if is_first else None


def _take_upload(spec: JobSpec, files: JobFiles, options: IngestOptions) -> None:
    assert spec.upload is not None
    upload = options.storage.upload(spec.upload)
    try:
        _check_size(upload, options)
        _publish(upload, files.source)
    except FileNotFoundError:
        raise SourceError(
            "the upload is not here any more; upload the video again", code="source-not-found"
        ) from None


def _check_size(upload: Path, options: IngestOptions) -> None:
    size = upload.stat().st_size
    if size > options.limits.max_bytes:
        raise SourceError(
            f"the upload has {size} bytes, but at most {options.limits.max_bytes} are taken",
            code="source-too-large",
        )


def _publish(path: Path, source: Path) -> bool:
    """Give a complete file its place; False if there is one by now: that one stays."""
    try:
        os.link(path, source)
    except FileExistsError:
        return False
    return True


def _remove_leftovers(files: JobFiles) -> None:
    """Remove what attempts have left that ended without notice."""
    for path in files.folder.glob(f"{files.source.name}.*"):
        path.unlink(missing_ok=True)


def _digest(path: Path, heartbeat: Heartbeat) -> str:
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            heartbeat.report(bytes_done=size, bytes_total=size)
    return digest.hexdigest()
