"""Rate, percentage and remaining time of a job, as clients see them."""

import pytest

from sightline.jobs.model import Job, JobSpec, Progress
from sightline.jobs.states import JobState
from sightline.service.presentation import ask_again_s, job_etag, present_job

SPEC = JobSpec(
    source_name="a", source_url="http://a/", pipeline="p", params={}, definition={}, outputs=()
)


def progress(state, *, finished_at=None, **about):
    job = Job(
        id="a",
        spec=SPEC,
        state=state,
        created_at=0.0,
        finished_at=finished_at,
        progress=Progress(**about),
    )
    return present_job(job, queue_position=None, now_s=20.0)["progress"]


@pytest.mark.parametrize(
    ("state", "about", "percent"),
    [
        (JobState.QUEUED, {}, 0.0),
        (JobState.RUNNING, {"step": "ingest", "bytes_done": 5}, 0.0),
        (JobState.RUNNING, {"step": "detect", "frames_done": 5}, None),
        (
            JobState.RUNNING,
            {"frames_total": 100, "frames_done": 50, "frames_final": 20, "chunks_total": 2},
            47.0,
        ),
        (JobState.FINALIZING, {"frames_total": 100, "frames_done": 50, "frames_final": 50}, 50.0),
        (JobState.FINALIZING, {"frames_total": 9, "frames_done": 12, "frames_final": 12}, 99.9),
        (JobState.SUCCEEDED, {"frames_total": 100, "frames_final": 90}, 100.0),
        (JobState.EXPIRED, {"frames_total": 100, "frames_done": 100, "frames_kept": 100}, 100.0),
        (JobState.EXPIRED, {"frames_total": 100, "frames_done": 40, "frames_kept": 40}, 40.0),
        # Tried again with results of before, and canceled in the queue or after ten frames.
        (JobState.RUNNING, {"frames_total": 100, "frames_kept": 60}, 0.0),
        (JobState.CANCELED, {"frames_total": 100, "frames_kept": 60}, 60.0),
        (JobState.CANCELED, {"frames_total": 100, "frames_kept": 60, "frames_final": 10}, 60.0),
    ],
)
def test_the_percentage_follows_the_frames(state, about, percent):
    assert progress(state, **about)["percent"] == percent


@pytest.mark.parametrize(
    ("state", "growing", "kept", "shown"),
    [
        (JobState.RUNNING, 7, 0, 7),
        (JobState.QUEUED, 0, 60, 60),
        (JobState.RUNNING, 0, 60, 60),
        (JobState.RUNNING, 7, 60, 7),
        (JobState.CANCELED, 7, 60, 60),
        (JobState.FAILED, 7, 0, 0),
    ],
)
def test_results_are_there_up_to_the_frames_of_those_that_are_shown(state, growing, kept, shown):
    assert progress(state, frames_final=growing, frames_kept=kept)["frames_final"] == shown


def test_rate_and_remaining_time_count_from_the_first_frame():
    shown = progress(JobState.RUNNING, frames_done=50, frames_total=100, detect_since=10.0)
    assert (shown["fps"], shown["eta_s"]) == (5.0, 10.0)


def test_of_a_retried_job_they_count_from_the_first_frame_since():
    about = {"frames_done": 900, "frames_total": 1000, "detect_since": 10.0, "detect_from": 890}
    shown = progress(JobState.RUNNING, **about)
    assert (shown["fps"], shown["eta_s"]) == (1.0, 100.0)
    before = progress(JobState.RUNNING, **{**about, "detect_from": 900})
    assert (before["fps"], before["eta_s"]) == (None, None)


@pytest.mark.parametrize(
    ("place", "about", "expected"),
    [
        (0, {}, 1),
        (7, {}, 7),
        (400, {}, 15),
        (None, {"step": "ingest"}, 1),
        (None, {"frames_done": 50, "frames_total": 100, "detect_since": 10.0}, 1),
        (None, {"frames_done": 50, "frames_total": 1050, "detect_since": 10.0}, 10),
        (None, {"frames_done": 50, "frames_total": 90_000, "detect_since": 10.0}, 15),
    ],
)
def test_who_polls_is_told_to_ask_more_seldom_the_longer_a_job_takes(place, about, expected):
    state = JobState.RUNNING if place is None else JobState.QUEUED
    job = Job(id="a", spec=SPEC, state=state, created_at=0.0, progress=Progress(**about))
    assert ask_again_s(job, queue_position=place, now_s=20.0) == expected


def test_at_its_end_a_job_keeps_its_rate_and_has_no_remaining_time():
    shown = progress(
        JobState.SUCCEEDED, finished_at=15.0, frames_done=50, frames_total=50, detect_since=10.0
    )
    assert (shown["fps"], shown["eta_s"]) == (10.0, None)


def test_what_a_client_sees_has_another_name_when_the_place_in_the_queue_changes():
    job = Job(id="a", spec=SPEC, created_at=0.0)
    assert len({job_etag(job, None), job_etag(job, 0), job_etag(job, 1)}) == 3
