"""A job that did not change is not looked up again; one that did, always is."""

import asyncio
import threading
from dataclasses import replace

import pytest
from tests.job_values import POLICY, a_job

from sightline.jobs.states import JobState
from sightline.jobs.store import UnknownJobError
from sightline.service.known_jobs import KnownJobs
from sightline.testing.job_store import MemoryJobStore


class CountingStore(MemoryJobStore):
    """Counts changes, as SQLite does, and how often it is asked for a job."""

    def __init__(self, *, can_tell=True):
        super().__init__()
        self.can_tell = can_tell
        self.changes = 0
        self.asked = []
        self.meanwhile = lambda: None

    def change_count(self):
        return self.changes if self.can_tell else None

    def get(self, job_id):
        self.asked.append((job_id, threading.current_thread()))
        job = super().get(job_id)
        self.meanwhile()
        return job

    def cancel(self, job_id, **options):
        self.changes += 1
        return super().cancel(job_id, **options)


def run(scenario, **options):
    store = CountingStore(**options)
    for job_id in "ab":
        store.add(replace(a_job(), id=job_id))
    asyncio.run(scenario(store, KnownJobs(store)))
    return store


def cancel(store):
    store.cancel("a", policy=POLICY, now_s=0.0)


def test_a_job_is_looked_up_once_as_long_as_nothing_changes():
    async def scenario(store, known):
        looks = [await known.look(job_id) for job_id in "aabab"]
        assert [look.job.id for look in looks] == list("aabab")
        assert [look.queue_position for look in looks] == [0, 0, 1, 0, 1]

    store = run(scenario)

    assert [job_id for job_id, _ in store.asked] == ["a", "b"]
    assert all(thread is not threading.main_thread() for _, thread in store.asked)


def test_after_a_change_every_job_is_looked_up_again():
    async def scenario(store, known):
        await known.look("a")
        await known.look("b")
        cancel(store)
        assert (await known.look("a")).job.state is JobState.CANCELED
        assert (await known.look("b")).queue_position == 0

    run(scenario)


def test_a_change_while_a_job_is_looked_up_is_not_missed():
    async def scenario(store, known):
        def once():
            store.meanwhile = lambda: None
            cancel(store)

        store.meanwhile = once
        assert (await known.look("a")).job.state is JobState.QUEUED
        assert (await known.look("a")).job.state is JobState.CANCELED

    run(scenario)


def test_what_was_looked_up_before_a_change_that_others_noticed_is_not_kept():
    async def scenario(store, known):
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold():
            store.meanwhile = lambda: None
            loop.call_soon_threadsafe(begun.set)
            assert go_on.wait(30)

        store.meanwhile = hold
        slow = asyncio.create_task(known.look("a"))
        await begun.wait()
        cancel(store)
        await known.look("b")
        go_on.set()
        assert (await slow).job.state is JobState.QUEUED
        assert (await known.look("a")).job.state is JobState.CANCELED

    run(scenario)


def test_a_store_that_cannot_tell_is_asked_every_time():
    async def scenario(_, known):
        await known.look("a")
        await known.look("a")

    assert len(run(scenario, can_tell=False).asked) == 2


def test_an_unknown_job_is_an_error_every_time():
    async def scenario(_, known):
        for _ in range(2):
            with pytest.raises(UnknownJobError):
                await known.look("nope")

    run(scenario)


def test_there_is_a_bound_on_what_is_kept(monkeypatch):
    monkeypatch.setattr("sightline.service.known_jobs._MOST", 1)

    async def scenario(_, known):
        for job_id in "aba":
            await known.look(job_id)

    assert len(run(scenario).asked) == 3
