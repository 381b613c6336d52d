import threading

import pytest
from tests.graph_witness import until
from tests.job_values import ingested

from sightline.jobs import heartbeat as module
from sightline.jobs.heartbeat import (
    Heartbeat,
    LeaseLostError,
    LeaseReturnedError,
    WrapUpError,
    renewal_interval_s,
)
from sightline.jobs.model import Failure, Job, JobSpec
from sightline.jobs.states import TaskKind
from sightline.jobs.store import ChunkDone, LeasePolicy
from sightline.testing.job_store import MemoryJobStore

POLICY = LeasePolicy(lease_s=30.0)
SPEC = JobSpec(
    source_name="a.mp4", upload="a", pipeline="p", params={}, definition={}, outputs=("mot",)
)


class FlakyStore(MemoryJobStore):
    """A store that can be away, and notes the reports that it got."""

    def __init__(self):
        super().__init__()
        self.is_away = False
        self.asked = 0
        self.reports = []

    def standing(self, lease):
        self.asked += 1
        if self.is_away:
            raise ConnectionError("away")
        return super().standing(lease)

    def renew(self, lease, report, **options):
        self.asked += 1
        if self.is_away:
            raise ConnectionError("away")
        self.reports.append(report)
        return super().renew(lease, report, **options)


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    made = FlakyStore()
    made.add(Job(id="job-1", spec=SPEC, created_at=1000.0))
    return made


@pytest.fixture
def lease(store):
    return store.claim([TaskKind.INGEST], worker="w", policy=POLICY, now_s=1000.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_S", 0.005)
    monkeypatch.setattr(module, "_INTERVAL_S", 0.005)


def raised(heartbeat):
    """Report until it raises; return what."""

    def attempt():
        try:
            heartbeat.report()
        except module.TaskStoppedError as stop:
            return stop
        return None

    return until(attempt)


def test_the_store_gets_the_latest_figures(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        heartbeat.report(bytes_done=1)
        heartbeat.report(bytes_done=7, bytes_total=10)
        until(lambda: store.reports and store.reports[-1].bytes_done == 7)
        assert heartbeat.reports == 2
    assert store.get("job-1").progress.bytes_done == 7
    assert store.get("job-1").progress.bytes_total == 10


def test_what_was_reported_last_can_be_repeated_while_something_else_goes_on(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        heartbeat.report(frames_done=7, bytes_done=5, bytes_total=10)
        heartbeat.repeat()
        assert heartbeat.reports == 2
        until(lambda: store.reports and store.reports[-1].frames_done == 7, 30)
        assert store.reports[-1].bytes_done == 5
        heartbeat.give_back()
        with pytest.raises(LeaseReturnedError):
            heartbeat.repeat()


def test_a_renewed_lease_lasts_from_now_on(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock):
        clock.now_s += 20.0
        until(lambda: store.tasks("job-1")[0].leased_until == clock.now_s + POLICY.lease_s)


def test_a_canceled_job_ends_its_task_with_the_next_report(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        heartbeat.report()
        store.cancel("job-1", policy=POLICY, now_s=clock())
        assert isinstance(raised(heartbeat), WrapUpError)
        assert heartbeat.wrap_up


def test_who_wants_to_wrap_up_by_himself_is_not_interrupted(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock, notes_wrap_up=True) as heartbeat:
        store.cancel("job-1", policy=POLICY, now_s=clock())
        until(lambda: heartbeat.wrap_up)
        heartbeat.report()


@pytest.fixture
def final(store, lease):
    """The lease of a final pass that does all of a job itself."""
    store.finish_ingest(lease, ingested(0), now_s=1000.0)
    return store.claim([TaskKind.FINAL], worker="w", policy=POLICY, now_s=1000.0)


def test_a_final_pass_that_has_not_reported_since_its_job_was_canceled_is_ignored(
    store, final, clock
):
    with Heartbeat(store, final, policy=POLICY, clock=clock, notes_wrap_up=True) as heartbeat:
        heartbeat.report()
        assert not heartbeat.is_ignored
        store.cancel("job-1", policy=POLICY, now_s=clock())
        until(lambda: heartbeat.is_ignored)
        heartbeat.report()
        assert not heartbeat.is_ignored


def test_a_final_pass_that_is_about_to_end_may_be_silent(store, final, clock):
    with Heartbeat(store, final, policy=POLICY, clock=clock, notes_wrap_up=True) as heartbeat:
        store.cancel("job-1", policy=POLICY, now_s=clock())
        until(lambda: heartbeat.is_ignored)
        heartbeat.expect_silence()
        assert not heartbeat.is_ignored


def test_the_final_pass_of_a_failing_job_takes_its_time(store, lease, clock):
    store.finish_ingest(lease, ingested(2), now_s=1000.0)
    done, broken = (
        store.claim([TaskKind.CHUNK], worker="w", policy=POLICY, now_s=1000.0) for _ in range(2)
    )
    store.finish_chunk(done, ChunkDone(frames=1), now_s=1000.0)
    final = store.claim([TaskKind.FINAL], worker="w", policy=POLICY, now_s=1000.0)
    failure = Failure(code="stage-failed", message="a stage failed")
    with Heartbeat(store, final, policy=POLICY, clock=clock, notes_wrap_up=True) as heartbeat:
        store.fail(broken, failure, again=False, policy=POLICY, now_s=clock())
        until(lambda: heartbeat.wrap_up)
        asked = store.asked
        until(lambda: store.asked > asked + 2)
        assert not heartbeat.is_ignored
        store.cancel("job-1", policy=POLICY, now_s=clock())
        until(lambda: heartbeat.is_ignored)


def test_a_lost_lease_ends_the_task_whatever_it_wants(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock, notes_wrap_up=True) as heartbeat:
        store.forfeit(["w"], counted=True, policy=POLICY, now_s=clock())
        assert isinstance(raised(heartbeat), LeaseLostError)


def test_a_store_that_is_away_for_less_than_the_lease_does_no_harm(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        store.is_away = True
        clock.now_s += POLICY.lease_s - 1
        asked = store.asked
        until(lambda: store.asked > asked + 2)
        heartbeat.report(bytes_done=5)
        store.is_away = False
        until(lambda: store.get("job-1").progress.bytes_done == 5)


def test_a_store_that_is_away_for_longer_than_the_lease_ends_the_task(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        until(lambda: store.asked)
        store.is_away = True
        clock.now_s += POLICY.lease_s + 1
        assert isinstance(raised(heartbeat), LeaseLostError)


def test_a_task_can_be_told_to_give_its_lease_back(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock) as heartbeat:
        heartbeat.give_back()
        with pytest.raises(LeaseReturnedError):
            heartbeat.report()


def test_no_thread_is_left(store, lease, clock):
    with Heartbeat(store, lease, policy=POLICY, clock=clock):
        assert "heartbeat" in [thread.name for thread in threading.enumerate()]
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


LONG = LeasePolicy(lease_s=36_000.0)


@pytest.fixture
def chunk(store, monkeypatch):
    """The lease of one of many chunks that are worked on."""
    monkeypatch.setattr(module, "_MANY_CHUNKS", 0.0001)
    lease = store.claim([TaskKind.INGEST], worker="w", policy=LONG, now_s=1000.0)
    store.finish_ingest(lease, ingested(10), now_s=1000.0)
    claims = [
        store.claim([TaskKind.CHUNK], worker="w", policy=LONG, now_s=1000.0) for _ in range(10)
    ]
    return claims[-1]


def test_of_many_chunks_leases_are_renewed_seldom_but_a_cancel_is_heard_soon(store, chunk, clock):
    with Heartbeat(store, chunk, policy=LONG, clock=clock) as heartbeat:
        until(lambda: store.asked > 20)
        assert len(store.reports) == 1
        store.cancel("job-1", policy=LONG, now_s=clock())
        assert isinstance(raised(heartbeat), WrapUpError)
        assert len(store.reports) == 1


def test_a_store_that_is_away_ends_a_chunk_of_many_too(store, chunk, clock):
    with Heartbeat(store, chunk, policy=LONG, clock=clock) as heartbeat:
        until(lambda: store.reports)
        store.is_away = True
        clock.now_s += LONG.lease_s + 1
        assert isinstance(raised(heartbeat), LeaseLostError)


@pytest.mark.parametrize("lease_s", [0.3, 3.0, 30.0, 600.0])
def test_the_more_chunks_are_running_the_less_often_leases_are_renewed(lease_s, monkeypatch):
    monkeypatch.undo()
    policy = LeasePolicy(lease_s=lease_s)
    intervals = [renewal_interval_s(chunks, policy) for chunks in range(2000)]
    assert intervals == sorted(intervals)
    assert set(intervals[:9]) == {0.5}
    assert intervals[-1] <= max(0.5, lease_s / 6)
