"""Those who wait for jobs are woken by one task, and find the newest snapshot."""

import asyncio

import pytest

from sightline.jobs.model import Job, JobSpec
from sightline.jobs.states import JobState, TaskKind
from sightline.jobs.store import LeasePolicy, LeaseReport
from sightline.service.events import TooManyWatchesError, Watcher, WatchLimits
from sightline.testing.job_store import MemoryJobStore

SPEC = JobSpec(
    source_name="a", source_url="http://a/", pipeline="p", params={}, definition={}, outputs=()
)
POLICY = LeasePolicy()


class CountingStore(MemoryJobStore):
    """Counts how often it is asked."""

    asked = 0

    def versions(self, job_ids):
        self.asked += 1
        return super().versions(job_ids)


def run(scenario, *, limits=None):
    """Run a scenario with a watcher of a store with a queued job `a`."""

    async def all_of_it():
        store = CountingStore()
        store.add(Job(id="a", spec=SPEC, created_at=0.0))

        async def still_known(owners):
            return set(owners) - {"mallory"}

        watcher = Watcher(
            store,
            lambda job, place: b"%d" % job.version,
            limits=limits,
            still_known=still_known,
            interval_s=0,
        )
        task = asyncio.create_task(watcher.run())
        try:
            async with asyncio.timeout(30):
                await scenario(store, watcher)
        finally:
            watcher.close()
            await task

    asyncio.run(all_of_it())


def test_all_who_wait_for_a_job_are_woken_and_share_its_snapshot():
    async def scenario(store, watcher):
        watches = [watcher.watch("a", "") for _ in range(100)]
        assert all([await watch.wait(30) for watch in watches])
        store.cancel("a", policy=POLICY, now_s=1.0)
        assert all([await watch.wait(30) for watch in watches])
        assert len({id(watch.snapshot) for watch in watches}) == 1
        assert watches[0].snapshot.body == b"2"

    run(scenario)


def test_who_comes_later_finds_the_snapshot_at_once():
    async def scenario(store, watcher):
        assert await watcher.watch("a", "").wait(30)
        later = watcher.watch("a", "")
        assert later.snapshot.job.id == "a"
        assert later.wake.is_set()

    run(scenario)


def test_a_deleted_job_is_told():
    async def scenario(store, watcher):
        watch = watcher.watch("a", "")
        assert await watch.wait(30)
        store.cancel("a", policy=POLICY, now_s=1.0)
        store.delete("a")
        while watch.snapshot.job is not None:
            assert await watch.wait(30)

    run(scenario)


def test_a_place_in_the_queue_that_changes_is_told():
    async def scenario(store, watcher):
        store.add(Job(id="b", spec=SPEC, created_at=0.0))
        watch = watcher.watch("b", "")
        assert await watch.wait(30)
        assert watch.snapshot.queue_position == 1
        store.cancel("a", policy=POLICY, now_s=1.0)
        assert await watch.wait(30)
        assert watch.snapshot.queue_position == 0

    run(scenario)


def test_nothing_is_asked_while_nobody_waits():
    async def scenario(store, watcher):
        watch = watcher.watch("a", "")
        assert await watch.wait(30)
        watcher.leave(watch)
        watcher.leave(watch)
        assert len(watcher) == 0
        for _ in range(100):
            await asyncio.sleep(0)
        asked = store.asked
        for _ in range(1000):
            await asyncio.sleep(0)
        assert store.asked - asked <= 1

    run(scenario)


def test_who_may_not_know_of_the_job_any_more_is_told_nothing_more():
    async def scenario(_, watcher):
        watches = {name: watcher.watch("a", name) for name in ("alice", "mallory")}
        while not watches["mallory"].is_over:
            assert await watches["mallory"].wait(30)
        assert watches["mallory"].is_expelled
        assert not watches["alice"].is_over

    run(scenario)


def test_so_many_may_wait_and_no_more():
    async def scenario(store, watcher):
        watcher.watch("a", "ann")
        with pytest.raises(TooManyWatchesError) as own:
            watcher.watch("a", "ann")
        watcher.watch("a", "bob")
        with pytest.raises(TooManyWatchesError) as all_together:
            watcher.watch("a", "eve")
        assert (own.value.is_own, all_together.value.is_own) == (True, False)

    run(scenario, limits=WatchLimits(total=2, per_owner=1))


def test_a_store_that_fails_once_does_not_end_the_watching(caplog):
    async def scenario(store, watcher):
        store.get = None
        watch = watcher.watch("a", "")
        while not caplog.records:
            await asyncio.sleep(0)
        del store.get
        assert await watch.wait(30)

    run(scenario)
    assert "watching jobs failed" in caplog.text


def fetching(store, nbytes):
    """Let the job `a` be fetched, further with every call."""
    lease = store.claim([TaskKind.INGEST], worker="w", policy=POLICY, now_s=1.0)
    for count in range(1, nbytes + 1):
        store.renew(lease, LeaseReport(bytes_done=count), policy=POLICY, now_s=1.0)
        yield count


def test_the_more_wait_the_more_seldom_they_are_told_of_progress():
    async def scenario(store, watcher):
        watches = [watcher.watch("a", "") for _ in range(10)]
        assert all([await watch.wait(30) for watch in watches])
        begun_s, told = asyncio.get_running_loop().time(), 0
        for _ in fetching(store, 200):
            seen = store.asked
            while store.asked < seen + 2:
                await asyncio.sleep(0)
            told += sum(watch.wake.is_set() for watch in watches)
            for watch in watches:
                watch.wake.clear()
        passed_s = asyncio.get_running_loop().time() - begun_s
        # At once that the job runs, then 10 at a time, 100 in a second.
        assert told <= 20 + 100 * passed_s
        assert watches[0].snapshot.job.progress.bytes_done >= 199
        assert await watches[0].wait(30)  # of what came last they are told, too

    run(scenario, limits=WatchLimits(events_per_s=100.0))


def test_what_happens_to_a_job_is_told_at_once_however_many_wait():
    async def scenario(store, watcher):
        watches = [watcher.watch("a", "") for _ in range(10)]
        assert all([await watch.wait(30) for watch in watches])
        for _ in fetching(store, 1):
            assert all([await watch.wait(30) for watch in watches])
        store.cancel("a", policy=POLICY, now_s=2.0)
        assert all([await watch.wait(30) for watch in watches])
        assert watches[0].snapshot.job.state is JobState.CANCELING

    run(scenario, limits=WatchLimits(events_per_s=0.001))
