"""Very many jobs at once: none is lost, and to list them costs no more than to list a hundred."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from sqlalchemy import event
from tests.job_service import until, write_video
from tests.lengths import short_or_long
from tests.serve_process import PATIENCE_S, ServeProcess, VideoSite

from sightline.jobs.sql.database import database_in
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.store import JobQuery

JOBS = short_or_long(300, 1000)
SOME = 100
CLIENTS = 8
PAGE = 50


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    video = write_video(tmp_path_factory.mktemp("video") / "street.mp4", frames=12)
    with VideoSite(video) as site:
        yield site


def submit(url, address, numbers):
    """Submit jobs, several at a time; return their ids."""

    def one(number):
        body = {"source_url": address, "labels": {"number": str(number)}, "outputs": ["mot"]}
        answer = client.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    with (
        httpx.Client(base_url=url, timeout=PATIENCE_S) as client,
        ThreadPoolExecutor(CLIENTS) as do,
    ):
        return list(do.map(one, numbers))


def pages(client, **query):
    """Read the list of jobs page by page."""
    found, cursor = [], {}
    while cursor is not None:
        page = client.get("/v1/jobs", params={"limit": PAGE, **query, **cursor}).json()
        found.append(page["jobs"])
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    return found


def places(found):
    """Give the places in the queue of the jobs on some pages."""
    jobs = [job for page in found for job in page]
    return [job["progress"]["queue_position"] for job in jobs if job["status"] == "queued"]


def pages_at_rest(client):
    """Read the list of jobs; None if a worker has taken one meanwhile, so that others moved up."""
    before, found = pages(client), pages(client)
    return found if places(before) == places(found) else None


def work_of(folder, ask):
    """Ask a store on a data folder; return how many steps SQLite's machine makes for it."""
    store = SqlJobStore(database_in(folder))
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    def begin(_connection, cursor, *_):
        cursor.connection.set_progress_handler(count, 1)

    event.listen(store._database._engine, "before_cursor_execute", begin)
    with closing(store):
        ask(store)
    assert steps > 0
    return steps


def work_of_first_page(folder):
    """Give the steps for the first page, and those for the places of its jobs in the queue."""
    ids = []
    page = work_of(folder, lambda store: ids.extend(j.id for j in store.list(JobQuery(limit=PAGE))))
    assert len(ids) == PAGE
    return page, work_of(folder, lambda store: store.queue_positions(ids))


def test_of_very_many_jobs_queued_at_once_none_is_lost_and_the_list_stays_as_quick(tmp_path, site):
    folder = tmp_path / "data"
    options = ("--workers", "1", "--allow-network", site.at)
    with (
        ServeProcess(folder, *options) as service,
        httpx.Client(base_url=service.url, timeout=PATIENCE_S) as client,
    ):
        held = site.url("held.mp4")  # workers get no further than the first jobs
        ids = submit(service.url, held, range(SOME))
        page_of_some, places_of_some = work_of_first_page(folder)
        ids += submit(service.url, held, range(SOME, JOBS))
        page_of_all, places_of_all = work_of_first_page(folder)
        assert page_of_all == page_of_some
        assert places_of_all - places_of_some <= 10 * (JOBS - SOME), "to count is a few steps a job"

        assert len(set(ids)) == JOBS
        found = until(lambda: pages_at_rest(client))
        assert [len(page) for page in found] == [PAGE] * (JOBS // PAGE)
        jobs = [job for page in found for job in page]
        assert [job["id"] for job in jobs] == sorted(ids, reverse=True)
        assert {job["labels"]["number"] for job in jobs} == {str(n) for n in range(JOBS)}
        queued = places(found)
        assert queued == list(reversed(range(len(queued))))
        assert len(queued) >= JOBS - 10

        service.kill()
        service.start()
        site.release()
        first = sorted(ids)[:3]
        for job_id in first:
            job = until(
                lambda path=f"/v1/jobs/{job_id}?wait=20": (
                    (job := client.get(path).json())["terminal"] and job
                )
            )
            assert job["status"] == "succeeded", job["error"]
        found = [job["id"] for page in pages(client) for job in page]
        assert found == sorted(ids, reverse=True)
        gone = [job for page in pages(client, status="failed") for job in page]
        assert gone == []
    with closing(sqlite3.connect(folder / "jobs.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (JOBS,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
