"""Jobs as values for tests, and short ways to bring them on in a store."""

from uuid import uuid4

from sightline.jobs.model import Job, JobSpec, Span, VideoFacts
from sightline.jobs.states import TaskKind
from sightline.jobs.store import ChunkDone, Finalized, Ingested, LeasePolicy

POLICY = LeasePolicy(lease_s=30.0, max_attempts=3, retry_delay_s=1.0, keep_s=1000.0)
INGEST, CHUNK, FINAL = [TaskKind.INGEST], [TaskKind.CHUNK], [TaskKind.FINAL]
ALL_KINDS = list(TaskKind)


def a_job(number=None, *, owner="", created_at=0.0, **spec):
    """Make a job; those with numbers sort by them."""
    job_id = str(uuid4()) if number is None else f"job-{number:05d}"
    given = {"source_name": "Crossing.mp4", "source_url": "https://example.org/crossing.mp4"}
    given |= {"pipeline": "detect-track", "params": {"detector": "demo", "classes": None}}
    given |= {"definition": {"stages": [{"detect": {"model": "demo"}}]}, "outputs": ("mot", "csv")}
    return Job(id=job_id, owner=owner, created_at=created_at, spec=JobSpec(**given | spec))


def a_video(**fields):
    given = {"container": "mp4", "codec": "h264", "width": 160, "height": 120}
    given |= {"frame_rate": 25.0, "duration_s": 4.0, "frames": 100, "size_bytes": 5000}
    return VideoFacts(**given | {"sha256": "00" * 32, "playable": True} | fields)


def ingested(chunks=2, *, warnings=()):
    """Make the result of an ingest whose video has 100 frames, in chunks of equal length."""
    length = 100 // max(chunks, 1)
    spans = [
        Span(begin_pts=n * length or None, end_pts=(n + 1) * length, seek_pts=n * length)
        for n in range(chunks)
    ]
    return Ingested(video=a_video(), spans=spans, warnings=warnings)


def claim(store, kinds=ALL_KINDS, *, worker="worker", now_s=0.0, queues=None):
    return store.claim(kinds, worker=worker, policy=POLICY, now_s=now_s, queues=queues)


def with_chunks(store, job, chunks=2, *, now_s=0.0):
    """Bring a new job to where its chunks are ready."""
    store.add(job)
    lease = claim(store, INGEST, now_s=now_s)
    assert lease.job.id == job.id
    assert store.finish_ingest(lease, ingested(chunks), now_s=now_s)
    return job.id


def finish(store, lease, *, frames=50, now_s=0.0):
    """Finish a task, whatever it is."""
    if lease.task.kind is TaskKind.INGEST:
        return store.finish_ingest(lease, ingested(), now_s=now_s)
    if lease.task.kind is TaskKind.CHUNK:
        return store.finish_chunk(lease, ChunkDone(frames=frames), now_s=now_s)
    return store.finish_final(lease, Finalized(frames=frames), policy=POLICY, now_s=now_s)
