"""A whole job service as processes, on a broker and PostgreSQL, to be broken at will."""

import json
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import httpx
import yaml
from tests.job_service import FRAMES, stage, until
from tests.serve_process import PATIENCE_S, ServeProcess
from tests.worker_process import WorkerProcess

from sightline.broker.application import make_celery
from sightline.broker.options import BrokerOptions
from sightline.broker.wakeups import WakeUps
from sightline.jobs.files import Storage
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState, TaskKind, TaskState
from sightline.jobs.worker_board import WorkerBoard

__all__ = ["ChaosSite", "site_on", "whole"]

SLOW_S = 0.02


class ChaosSite:
    """`sightline serve`, and workers that are started when they are needed.

    Jobs of the pipeline `held` stand still at every frame while the gate is shut; those of `slow`
    take their time.

    Args:
        folder: For all files.
        street: A video, and `mot.txt` of the inline run over it.
        broker: A server of `broker_servers`.
        database_url: Of a database in PostgreSQL.
        options: More of the command line of the service and of workers.
        serving: More of that of the service alone.

    Attributes:
        root: The data folder.
        url: Of the database, for `WorkerProcess`.
    """

    def __init__(self, folder, street, *, broker, database_url, options=(), serving=()):
        self.root = folder / "data"
        self.url = database_url
        self.broker = broker
        self.workers = []
        self._video, self._mot = street
        self._gate = folder / "gate"
        self._options = options
        self._stack = ExitStack()
        pipelines = {
            "held": stage("WaitsFor", gate=self._gate),
            "slow": stage("Slow", at=0, each_s=SLOW_S),
        }
        offered = [part for name in pipelines for part in ("--pipeline", f"{name}={folder}/{name}")]
        for name, extra in pipelines.items():
            stages = [extra, {"detect": {"detector": "demo"}}, "track"]
            (folder / name).write_text(yaml.safe_dump({"stages": stages}))
        places = ("--broker", broker.url, "--database", database_url, *options)
        self.serve = self._stack.enter_context(
            ServeProcess(self.root, *places, *offered, *serving, log=folder / "serve.txt")
        )
        self.client = self._stack.enter_context(
            httpx.Client(base_url=self.serve.url, timeout=PATIENCE_S)
        )
        self.database = self._stack.enter_context(Database(database_url))
        self.store = SqlJobStore(self.database)
        self.wakeups = WakeUps(make_celery(BrokerOptions(url=broker.url)), self.store)

    @property
    def storage(self):
        return Storage(self.root)

    def worker(self, *options, concurrency=2, **more):
        """Start a worker, and wait until it takes tasks."""
        options = ("--concurrency", str(concurrency), *self._options, *options)
        made = WorkerProcess(self, self.broker.url, *options, **more)
        self.workers.append(made)
        return made

    def have_workers(self, number):
        """Have so many workers that run, and no others."""
        for worker in self.workers[:]:
            if worker.is_running and len(self.living) > number:
                worker.end()
            if not worker.is_running:
                self.workers.remove(worker)
        while len(self.workers) < number:
            self.worker()
        return self.workers

    @property
    def living(self):
        return [worker for worker in self.workers if worker.is_running]

    def submit(self, number=1, pipeline="held"):
        """Have jobs accepted; return their ids."""
        return [self._accepted(pipeline) for _ in range(number)]

    def _accepted(self, pipeline):
        answer = self.ask(pipeline)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def ask(self, pipeline="held"):
        """Submit the video; return the answer, whatever it is."""
        return self.client.post(
            "/v1/jobs",
            files={"file": ("street.mp4", self._video.read_bytes())},
            data={"job": json.dumps({"pipeline": pipeline, "outputs": ["mot"]})},
        )

    def shut(self):
        """Shut the gate."""
        self._gate.unlink(missing_ok=True)

    def open(self):
        """Open the gate."""
        self._gate.touch()

    def hold(self, number, *, leases):
        """Have jobs accepted that stand still, and wait until so many of their chunks do."""
        self.shut()
        job_ids = self.submit(number)
        until(lambda: len(self.leased(job_ids, TaskKind.CHUNK)) >= leases)
        return job_ids

    @property
    def processes(self):
        """All processes of the service and of its workers."""
        workers = [pid for worker in self.living for pid in (worker.pid, *worker.processes)]
        return [self.serve.pid, *workers]

    def wait(self, job_ids):
        """Wait until all jobs have ended; return their states."""
        for job_id in job_ids:
            until(lambda job_id=job_id: self.store.get(job_id).state.terminal)
        return [self.store.get(job_id).state for job_id in job_ids]

    def leased(self, job_ids, *kinds):
        """List the leased tasks of jobs."""
        tasks = [task for job_id in job_ids for task in self.store.tasks(job_id)]
        return [t for t in tasks if t.state is TaskState.LEASED and t.kind in (kinds or TaskKind)]

    def cards(self):
        """Give what workers say of themselves."""
        return WorkerBoard(self.database).cards(self.database.clock())

    def held_by(self, worker, job_ids):
        """List the leased tasks that a worker has."""
        pids = {str(pid) for pid in worker.processes}
        return [task for task in self.leased(job_ids) if task.worker.rpartition(":")[2] in pids]

    def attempts(self, job_ids):
        """Count how often the tasks of jobs were begun."""
        return Counter(task.attempt for job_id in job_ids for task in self.store.tasks(job_id))

    def recover(self, job_ids, note):
        """Wait until all jobs have ended, and check them; note how long that took.

        Args:
            job_ids: The jobs.
            note: `record_property` of the test.
        """
        since_s = time.monotonic()
        self.wait(job_ids)
        took_s = round(time.monotonic() - since_s, 1)
        note("recovery_s", took_s)
        print(f"recovered within {took_s} s")  # noqa: T201 - what a run of these tests is for
        for job_id in job_ids:
            self.check(job_id)

    def check(self, job_id):
        """Check that a job has succeeded, with the results of the inline run, each chunk once."""
        job, tasks = self.store.get(job_id), self.store.tasks(job_id)
        assert (job.state, job.failure, job.partial) == (JobState.SUCCEEDED, None, False)
        assert self.mot(job_id) == self._mot
        assert {task.state for task in tasks} == {TaskState.DONE}
        assert len({task.result for task in tasks}) == len(tasks)
        chunks = [task for task in tasks if task.kind is TaskKind.CHUNK]
        assert len(chunks) > 1
        assert sum(task.frames_done for task in chunks) == FRAMES
        assert (job.progress.frames_done, job.summary["frames"]) == (FRAMES, FRAMES)

    def mot(self, job_id):
        """Give `mot.txt` of a job, as clients get it."""
        results = self.client.get(f"/v1/jobs/{job_id}").json()["links"]["results"]
        files = self.client.get(results).json()["results"]
        url = next(file["url"] for file in files if file["name"] == "mot.txt")
        return self.client.get(url).raise_for_status().content

    def stray_chunks(self, job_ids):
        """List files of chunks that no row names."""
        known = {
            self.storage.job(task.job_id).chunk(task.number, task.result)
            for job_id in job_ids
            for task in self.store.tasks(job_id)
            if task.kind is TaskKind.CHUNK
        }
        found = [p for i in job_ids for p in (self.storage.job(i).folder / "chunks").glob("*")]
        return [path for path in found if path not in known]

    def close(self):
        self.open()
        for worker in self.workers:
            worker.kill()
        self._stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextmanager
def site_on(broker, postgres, street, tmp_path_factory):
    """Give a site for all tests of a file, on an empty broker and a database of its own."""
    broker.empty()
    folder = tmp_path_factory.mktemp("site")
    with (
        postgres.database() as name,
        ChaosSite(folder, street, broker=broker, database_url=postgres.url(name)) as site,
    ):
        yield site


def whole(site):
    """Make a site whole again, with two workers of two processes, and the gate open."""
    site.open()
    site.have_workers(2)
    return site
