from typing import TYPE_CHECKING

import pytest
from tests.job_values import POLICY

from sightline.jobs.store import JobQuery
from sightline.service.by_name import MESSAGE_LABEL, BadSubmissionError, Submissions
from sightline.service.offers import make_offers
from sightline.settings import Settings
from sightline.testing.job_store import MemoryJobStore

if TYPE_CHECKING:
    from sightline.jobs.pipelines import Offers

URL = "https://example.org/a/yard.mp4"


class Place:
    """What submissions need of a workplace."""

    policy = POLICY

    def __init__(self):
        self.store = MemoryJobStore()

    def clock(self):
        return 1000.0


@pytest.fixture
def place():
    return Place()


@pytest.fixture
def submit(place):
    offers: Offers = make_offers(("demo", "motion"), {}, Settings())
    submissions = Submissions(offers)
    return lambda fields, message_id="m-1": submissions(place, fields, message_id)


def test_a_job_is_what_the_fields_say(place, submit):
    job_id = submit({"source_url": URL, "detector": "motion", "labels": {"site": "yard"}})
    job = place.store.get(job_id)
    assert (job.owner, job.created_at, job.spec.source_name) == ("", 1000.0, "yard.mp4")
    assert job.spec.params["detector"] == "motion"
    assert job.spec.labels == {"site": "yard", MESSAGE_LABEL: "m-1"}


def test_one_message_makes_one_job_however_often_it_comes(place, submit):
    assert submit({"source_url": URL}) == submit({"source_url": URL})
    assert submit({"source_url": URL}, "m-2") != submit({"source_url": URL})
    assert len(place.store.list(JobQuery())) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"source_url": "file:///etc/passwd"},
        {"source_url": URL, "detector": "/etc/passwd"},
        {"source_url": URL, "labels": {"no such name!": "x"}},
        {"source_url": URL, "definition": {"stages": []}},
        {"source_url": 7},
    ],
)
def test_what_a_request_must_not_say_a_message_must_not_either(place, submit, fields):
    with pytest.raises(BadSubmissionError, match="cannot submit"):
        submit(fields)
    assert place.store.list(JobQuery()) == []
