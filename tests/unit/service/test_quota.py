import dataclasses

import pytest
from sqlalchemy import select

from sightline.jobs.model import Job, JobSpec, VideoFacts
from sightline.jobs.sql import schema
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import TaskKind
from sightline.jobs.store import Ingested, LeasePolicy
from sightline.service.owner import KeyLimits, Owner, Scope
from sightline.service.problems import ProblemError
from sightline.service.quota import Quota
from sightline.service.rate_limit import RateLimiter

POLICY = LeasePolicy()


@pytest.fixture
def quota(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}") as database:
        database.migrate()
        yield Quota(
            store=SqlJobStore(database),
            database=database,
            queued_jobs=5,
            submissions=RateLimiter(),
        )


def owner(name="a", **limits):
    return Owner(id=name, name=name, scopes=frozenset(Scope), limits=KeyLimits(**limits))


def job(number, *, owner_id="a", created_at=1000.0):
    spec = JobSpec(
        source_name="a", source_url="http://a/b", pipeline="p", params={}, definition={}, outputs=()
    )
    return Job(id=f"{owner_id}{number}", owner=owner_id, spec=spec, created_at=created_at)


def refusal(quota, who, **about):
    with pytest.raises(ProblemError) as caught:
        quota.admit(who, **{"address": "192.0.2.1", "now_s": 1000.0, **about})
    assert int(caught.value.headers["Retry-After"]) > 0
    return caught.value.code


def test_an_owner_has_a_number_of_active_jobs(quota):
    for number in range(2):
        quota.admit(owner(active_jobs=2), address="", now_s=1000.0)
        quota.store.add(job(number))
    assert refusal(quota, owner(active_jobs=2)) == "quota-exceeded"
    quota.admit(owner("b", active_jobs=2), address="", now_s=1000.0)
    quota.store.cancel("a0", policy=POLICY, now_s=1001.0)
    quota.admit(owner(active_jobs=2), address="", now_s=1002.0)


def test_everybody_together_may_queue_a_number_of_jobs(quota):
    for number in range(5):
        quota.store.add(job(0, owner_id=f"o{number}"))
    assert refusal(quota, owner()) == "overloaded"


def test_submissions_have_a_rate_per_owner(quota):
    slow = owner(submissions_per_minute=2)
    remaining = [quota.admit(slow, address="", now_s=1000.0)["RateLimit"] for _ in range(2)]
    assert remaining == ['"submissions";r=1;t=0', '"submissions";r=0;t=0']
    assert refusal(quota, slow) == "too-many-requests"
    quota.admit(owner("b", submissions_per_minute=2), address="", now_s=1000.0)


def test_without_keys_the_rate_is_per_address(quota):
    local = dataclasses.replace(owner(submissions_per_minute=1), id="")
    quota.admit(local, address="2001:db8::1", now_s=1000.0)
    assert refusal(quota, local, address="2001:db8::2") == "too-many-requests"
    quota.admit(local, address="2001:db8:1::1", now_s=1000.0)


def take_in(store, submitted, *, duration_s):
    """Submit a job, and take in its video."""
    store.add(submitted)
    lease = store.claim([TaskKind.INGEST], worker="w", policy=POLICY, now_s=1000.0)
    video = VideoFacts(
        container="mp4", codec="h264", width=4, height=4, frame_rate=25.0, duration_s=duration_s,
        frames=9, size_bytes=9, sha256="", playable=True,
    )  # fmt: skip
    assert store.finish_ingest(lease, Ingested(video=video), now_s=1001.0)


def delete(store, job_id):
    store.cancel(job_id, policy=POLICY, now_s=1001.0)
    store.delete(job_id)


def kept_usage(quota):
    with quota.database.read() as connection:
        return [row.video_s for row in connection.execute(select(schema.usage))]


def test_an_owner_has_a_number_of_seconds_of_video_a_day(quota):
    take_in(quota.store, job(0), duration_s=90.0)
    quota.admit(owner(video_s_per_day=91.0), address="", now_s=1002.0)
    assert refusal(quota, owner(video_s_per_day=90.0), now_s=1002.0) == "quota-exceeded"
    quota.admit(owner(video_s_per_day=90.0), address="", now_s=1002.0 + 86400.0)


def test_video_counts_for_its_day_though_its_job_is_deleted(quota):
    for number in range(2):
        take_in(quota.store, job(number), duration_s=45.0)
    delete(quota.store, "a0")
    assert refusal(quota, owner(video_s_per_day=90.0), now_s=1002.0) == "quota-exceeded"
    delete(quota.store, "a1")
    assert refusal(quota, owner(video_s_per_day=90.0), now_s=1002.0) == "quota-exceeded"
    quota.admit(owner("b", video_s_per_day=90.0), address="", now_s=1002.0)
    quota.admit(owner(video_s_per_day=91.0), address="", now_s=1002.0)
    quota.admit(owner(video_s_per_day=90.0), address="", now_s=1000.0 + 86400.0)


def test_of_a_deleted_job_without_a_video_nothing_is_kept(quota):
    quota.store.add(job(0))
    delete(quota.store, "a0")
    assert kept_usage(quota) == []


def test_what_deleted_jobs_have_used_is_forgotten_after_a_day(quota):
    take_in(quota.store, job(0), duration_s=90.0)
    delete(quota.store, "a0")
    quota.store.add(job(1, owner_id="b", created_at=1000.0 + 86399.0))
    assert kept_usage(quota) == [90.0]
    quota.store.add(job(2, owner_id="b", created_at=1000.0 + 86400.0))
    assert kept_usage(quota) == []
