import threading

import pytest

from sightline.jobs.chunk_feed import StoreChunkFeed
from sightline.jobs.feed import FeedEnd
from sightline.jobs.files import Storage
from sightline.jobs.model import Failure, Job, JobSpec, Span, VideoFacts
from sightline.jobs.states import TaskKind, TaskState
from sightline.jobs.store import ChunkDone, Ingested, LeasePolicy
from sightline.testing.job_store import MemoryJobStore

POLICY = LeasePolicy()
SPEC = JobSpec(
    source_name="a.mp4", upload="a", pipeline="p", params={}, definition={}, outputs=("mot",)
)
VIDEO = VideoFacts(
    container="mp4",
    codec="h264",
    width=2,
    height=2,
    frame_rate=None,
    duration_s=None,
    frames=None,
    size_bytes=1,
    sha256="",
    playable=True,
)
SPANS = [Span(begin_pts=0, end_pts=5), Span(begin_pts=5)]


class Fed:
    """A job of two chunks, or others, all leased, and its feed."""

    def __init__(self, root, store=None, spans=SPANS):
        self.store = store or MemoryJobStore()
        self.files = Storage(root).job("job-1")
        self.store.add(Job(id="job-1", spec=SPEC, created_at=0.0))
        self.store.finish_ingest(
            self.claim(TaskKind.INGEST), Ingested(video=VIDEO, spans=spans), now_s=0.0
        )
        self.leases = [self.claim(TaskKind.CHUNK) for _ in spans]
        self.feed = StoreChunkFeed(self.store, "job-1", files=self.files)

    def claim(self, kind):
        return self.store.claim([kind], worker="w", policy=POLICY, now_s=0.0)

    def finish(self, number):
        self.store.finish_chunk(self.leases[number], ChunkDone(frames=5), now_s=0.0)
        return self.files.chunk(number, self.leases[number].token)

    def fail(self, number):
        failure = Failure(code="stage-failed", message="x")
        self.store.fail(self.leases[number], failure, again=False, policy=POLICY, now_s=0.0)


@pytest.fixture
def fed(tmp_path):
    return Fed(tmp_path)


def test_chunks_come_in_order_whatever_is_done_first(fed):
    second = fed.finish(1)
    assert fed.feed.next(timeout_s=0) is None
    first = fed.finish(0)
    assert [fed.feed.next(timeout_s=0) for _ in range(2)] == [first, second]
    assert fed.feed.next(timeout_s=0) is FeedEnd.COMPLETE
    assert fed.feed.next(timeout_s=0) is FeedEnd.COMPLETE


def test_a_chunk_is_given_as_soon_as_it_is_done(fed):
    threading.Timer(0.05, fed.finish, [0]).start()
    assert fed.feed.next(timeout_s=3600) == fed.files.chunk(0, fed.leases[0].token)


def test_what_comes_before_a_failed_chunk_is_given(fed):
    first = fed.finish(0)
    fed.fail(1)
    assert fed.feed.next(timeout_s=0) == first
    assert fed.feed.next(timeout_s=0) is FeedEnd.CUT_SHORT


def test_a_canceled_job_has_no_more_chunks_once_its_workers_have_heard(fed):
    fed.finish(0)
    assert not fed.feed.canceled
    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files)
    fed.claim(TaskKind.FINAL)
    fed.store.cancel("job-1", policy=POLICY, now_s=0.0)
    assert feed.canceled
    feed.next(timeout_s=0)
    assert feed.next(timeout_s=0) is None
    fed.store.release(fed.leases[1], policy=POLICY, now_s=0.0)
    assert feed.next(timeout_s=0) is FeedEnd.CUT_SHORT


class LeavingError(Exception):
    """The workers end."""


def leave(awaited):
    if awaited.state is not TaskState.LEASED:
        raise LeavingError
    return False


def test_while_the_next_chunk_is_not_done_others_may_be_whoever_has_that(fed):
    asked = []
    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files, when_idle=asked.append)
    assert feed.next(timeout_s=0.0) is None
    for lease in fed.leases:
        fed.store.release(lease, policy=POLICY, now_s=0.0)
    assert feed.next(timeout_s=0.0) is None
    assert [(task.number, task.state) for task in asked] == [
        (0, TaskState.LEASED),
        (0, TaskState.READY),
    ]


def test_what_was_done_while_waiting_is_given_without_another_wait(fed):
    def do_both(awaited):
        assert awaited.number == 0
        return bool([fed.finish(number) for number in (1, 0)])

    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files, when_idle=do_both)
    found = [feed.next(timeout_s=3600.0) for _ in range(3)]
    assert found == [fed.files.chunk(n, fed.leases[n].token) for n in (0, 1)] + [FeedEnd.COMPLETE]


def test_when_workers_end_only_chunks_that_somebody_has_begun_are_waited_for(fed):
    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files, when_idle=leave)
    assert feed.next(timeout_s=0.0) is None
    first = fed.finish(0)
    assert feed.next(timeout_s=0.0) == first
    fed.store.release(fed.leases[1], policy=POLICY, now_s=0.0)
    with pytest.raises(LeavingError):
        feed.next(timeout_s=60.0)


def test_when_workers_end_a_job_whose_chunks_are_all_there_is_completed(fed):
    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files, when_idle=leave)
    paths = [fed.finish(0), fed.finish(1)]
    assert [feed.next(timeout_s=0.0) for _ in range(3)] == [*paths, FeedEnd.COMPLETE]


class AwayStore(MemoryJobStore):
    """A store that can be away."""

    is_away = False

    def chunks(self, job_id, **asked):
        if self.is_away:
            raise ConnectionError("away")
        return super().chunks(job_id, **asked)


def test_a_store_that_is_away_for_a_moment_is_asked_again(tmp_path):
    fed = Fed(tmp_path, AwayStore())
    first = fed.finish(0)
    fed.store.is_away = True
    assert fed.feed.next(timeout_s=0.0) is None
    fed.store.is_away = False
    assert fed.feed.next(timeout_s=0.0) == first


def test_a_feed_of_many_chunks_asks_for_few_at_a_time(tmp_path):
    spans = [Span(begin_pts=number) for number in range(500)]
    fed = Fed(tmp_path, spans=spans)
    paths = [fed.finish(number) for number in range(500)]
    assert [fed.feed.next(timeout_s=0.0) for _ in range(501)] == [*paths, FeedEnd.COMPLETE]


def test_a_result_that_cannot_be_obtained_is_given_the_next_time(fed):
    obtained = []

    def obtain(path):
        obtained.append(path)
        if len(obtained) == 1:
            raise ConnectionError("away")
        return path.with_name("obtained")

    feed = StoreChunkFeed(fed.store, "job-1", files=fed.files, obtain=obtain)
    path = fed.finish(0)
    with pytest.raises(ConnectionError):
        feed.next(timeout_s=0)
    assert feed.next(timeout_s=0) == path.with_name("obtained")
    assert obtained == [path, path]
    assert feed.next(timeout_s=0) is None
