"""The operator's limits hold for every task of a job, not only for its first look at the video."""

import av
import numpy as np
import pytest
from tests.job_service import DETECT_TRACK

from sightline.errors import MediaError
from sightline.jobs.chunk_work import open_span
from sightline.jobs.limits import MediaLimits
from sightline.jobs.model import Span
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.work import do_task
from sightline.testing.executor import InlineExecutor

MOTION = {"stages": [{"detect": {"detector": "motion"}}, "track"]}


def track_ids(mot):
    return {line.split(b",")[1] for line in mot.splitlines()}


def done(service, video, definition=DETECT_TRACK, **limits):
    """Do a job under these limits; return it."""
    service.options["limits"] = MediaLimits(**limits)
    with service.open_workplace() as place:
        job_id = service.submit(video, definition)
        executor = InlineExecutor(place)
        executor.start()
        executor.run_until_idle()
    return service.store.get(job_id)


def test_more_tracks_than_are_taken_fail_a_job_and_those_before_are_kept(service, street):
    video, mot = street
    tracks = track_ids(mot)
    job = done(service, video, max_tracks=len(tracks) - 1)
    assert (job.state, job.failure.code) == (JobState.FAILED, "too-many-tracks")
    assert job.partial
    assert job.summary["frames"] == job.progress.frames_final > 0
    kept = service.mot(job.id)
    assert mot.startswith(kept)
    assert len(track_ids(kept)) == len(tracks) - 1


def test_a_job_with_as_many_tracks_as_are_taken_succeeds(service, street):
    video, mot = street
    assert done(service, video, max_tracks=len(track_ids(mot))).state is JobState.SUCCEEDED


def test_a_frame_with_more_objects_than_are_taken_fails_a_job(service, street):
    job = done(service, street[0], max_objects=1)
    assert (job.state, job.failure.code) == (JobState.FAILED, "too-many-objects")


def test_more_frames_than_are_taken_fail_a_job_though_the_file_says_otherwise(service, street):
    service.submit(street[0])
    with service.open_workplace() as place:
        for limits, kind in [(MediaLimits(), TaskKind.INGEST), (MediaLimits(max_frames=5), None)]:
            place.limits = limits
            lease = place.store.claim(
                [kind or TaskKind.CHUNK], worker="w", policy=service.policy, now_s=place.clock()
            )
            do_task(lease, place)
    assert service.store.get(lease.job.id).failure.code == "source-over-limit"


@pytest.mark.parametrize("definition", [DETECT_TRACK, MOTION], ids=["in chunks", "in order"])
def test_larger_pictures_than_by_default_are_done_where_the_operator_takes_them(
    service, tmp_path, definition
):
    width, height = 8192, 4400
    video = tmp_path / "large.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        image = np.full((height, width, 3), 90, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    assert done(service, video, definition).failure.code == "source-over-limit"
    job = done(service, video, definition, max_pixels=width * (height + 128))
    assert (job.state, job.failure) == (JobState.SUCCEEDED, None)


def test_a_chunk_does_not_decode_larger_pictures_than_the_operator_takes(street):
    with pytest.raises(MediaError, match="pixels"):
        open_span(street[0], Span(), limits=MediaLimits(max_pixels=320 * 128))
