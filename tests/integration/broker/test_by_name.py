"""Jobs that other programs submit by the name of a task, through a Celery application of theirs."""

import pytest
from celery import Celery
from tests.job_service import until
from tests.serve_process import VideoSite

from sightline.jobs.states import JobState
from sightline.jobs.store import JobQuery


@pytest.fixture
def video_site(street):
    with VideoSite(street[0]) as made:
        yield made


@pytest.fixture
def stranger(site):
    """A program that knows the broker, and the name of the task."""
    with Celery(broker=site.server.url, set_as_current=False) as application:
        yield application


def jobs_of(site, message):
    query = JobQuery(labels={"celery_task_id": message.id})
    return site.service.store.list(query)


def test_a_program_that_knows_the_name_alone_submits_a_job(site, street, stranger, video_site):
    site.worker("--allow-network", video_site.at)
    message = stranger.send_task("sightline.process", args=[video_site.url()])
    until(lambda: jobs_of(site, message))
    (job,) = jobs_of(site, message)
    assert (job.spec.source_name, job.spec.pipeline) == ("street.mp4", "detect-track")
    assert site.service.wait(job.id).state is JobState.SUCCEEDED
    assert site.service.mot(job.id) == street[1]


def test_a_message_that_comes_twice_makes_one_job(site, stranger, video_site):
    site.worker("--allow-network", video_site.at)
    asked = {"args": [video_site.url()], "kwargs": {"labels": {"site": "yard"}}}
    for _ in range(2):
        message = stranger.send_task("sightline.process", task_id="0123-4567", **asked)
    other = stranger.send_task("sightline.process", args=[video_site.url()])
    until(lambda: jobs_of(site, other) and not any(site.wakeups.waiting().values()))
    (job,) = jobs_of(site, message)
    assert job.spec.labels == {"site": "yard", "celery_task_id": "0123-4567"}
    for each in (job, *jobs_of(site, other)):
        assert site.service.wait(each.id).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "asked",
    [
        {"args": ["file:///etc/passwd"]},
        {"args": ["https://example.org/a.mp4"], "kwargs": {"pipeline": "no such"}},
        {"args": ["https://example.org/a.mp4"], "kwargs": {"colour": "red"}},
        {"args": [], "kwargs": {}},
    ],
    ids=["a file", "an unknown pipeline", "an unknown field", "nothing"],
)
def test_what_makes_no_job_is_told_in_the_log_and_harms_nothing(site, street, stranger, asked):
    worker = site.worker(concurrency=1)
    stranger.send_task("sightline.process", **asked)
    until(lambda: "sightline.process" in worker.said())
    good = site.service.submit(street[0])
    assert site.service.wait(good).state is JobState.SUCCEEDED
    assert len(site.service.store.list(JobQuery())) == 1
