"""A job service without HTTP for tests: a data folder, its store, and executors on it."""

import multiprocessing.forkserver
import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import av
import uuid_utils
from tests.graph_witness import children_of
from tests.graph_witness import until as until_within

from sightline import MotFile
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.crew_size import CrewSize
from sightline.jobs.files import Storage
from sightline.jobs.local_executor import LocalExecutor
from sightline.jobs.local_options import LocalOptions
from sightline.jobs.model import Job, JobSpec
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import TaskKind, TaskState
from sightline.jobs.store import JobQuery, LeasePolicy
from sightline.jobs.workplace import WorkOptions, open_workplace
from sightline.media.scene.scene import Scene
from sightline.media.scene.settings import SceneSettings
from sightline.pipeline.definition import parse_definition

RATE = 25
FRAMES = 60
KEY_FRAME_EVERY = 12
CHUNK_S = 0.48
PATIENCE_S = 240
DETECT_TRACK = {"stages": [{"detect": {"detector": "demo"}}, "track"]}
POLICY = LeasePolicy(lease_s=10.0, retry_delay_s=0.05)


def detect_track(*stages):
    """Give a definition with these stages before detection."""
    return {"stages": [*stages, *DETECT_TRACK["stages"]]}


def stage(name, **parameters):
    return {f"tests.job_stages:{name}": {k: _plain(v) for k, v in parameters.items()}}


def _plain(value):
    return str(value) if isinstance(value, Path) else value


def write_video(path, *, frames=FRAMES, seed=3):
    """Write a street scene that can be cut every `KEY_FRAME_EVERY` frames."""
    scene = Scene(SceneSettings(width=320, height=180, frames=frames, seed=seed))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.gop_size = KEY_FRAME_EVERY
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(scene.render(number), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@cache
def mot_of(video, folder):
    """Give `mot.txt` of the inline run of detect and track."""
    path = Path(folder, "inline-mot.txt")
    pipeline = parse_definition(DETECT_TRACK).pipeline
    with pipeline:
        pipeline.run(str(video), [MotFile(path)])
    assert len(path.read_bytes()) > 1000, "there is something to be compared"
    return path.read_bytes()


def until(condition):
    """Wait until a condition holds, for long: starting processes takes time on a busy machine."""
    return until_within(condition, PATIENCE_S)


class JobService:
    """A data folder with jobs.

    Args:
        root: The folder.
        policy: When work is given up.

    Attributes:
        options: Changes to the `WorkOptions` of workers.
    """

    def __init__(self, root, *, policy=POLICY):
        self.options = {}
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.policy = policy
        self.url = f"sqlite:///{root}/jobs.sqlite"
        self.storage = Storage(root)
        self.database = Database(self.url)
        self.database.migrate()
        self.store = SqlJobStore(self.database)
        self._stack = ExitStack()
        self._stack.callback(self.store.close)

    @property
    def open_workplace(self):
        given = {"policy": self.policy, "sizes": ChunkSizes(target_s=CHUNK_S), **self.options}
        options = WorkOptions(**given)
        return partial(open_workplace, self.url, self.root, options=options)

    def submit(self, video, definition=DETECT_TRACK, **spec):
        """Submit a video, a file or an address; return the job's id."""
        job_id = str(uuid_utils.uuid7())
        if str(video).startswith("http:"):
            source = {"source_url": video}
        else:
            source = {"upload": job_id}
            upload = self.storage.upload(job_id)
            upload.parent.mkdir(exist_ok=True)
            shutil.copyfile(video, upload)
        spec = JobSpec(
            source_name=Path(video).name,
            **source,
            pipeline="test",
            params={},
            definition=definition,
            outputs=("mot",),
            **spec,
        )
        self.store.add(Job(id=job_id, spec=spec, created_at=time.time()))
        return job_id

    def executor(self, *, start=True, detect=2, **options):
        """Make an executor that is closed with the service."""
        size = detect if isinstance(detect, CrewSize) else CrewSize(least=detect, most=detect)
        given = {"open_workplace": self.open_workplace, "detect": size, **options}
        executor = LocalExecutor(self.store, LocalOptions(**given), policy=self.policy)
        self._stack.callback(executor.close, drain_s=0.0)
        if start:
            executor.start()
        return executor

    def wait(self, job_id):
        """Wait for the end of a job; return it."""
        until(lambda: self.store.get(job_id).state.terminal)
        return self.store.get(job_id)

    def cancel(self, job_id):
        return self.store.cancel(job_id, policy=self.policy, now_s=time.time())

    def mot(self, job_id):
        return (self.storage.job(job_id).results / "mot.txt").read_bytes()

    def chunks(self, job_id):
        return [task for task in self.store.tasks(job_id) if task.kind is TaskKind.CHUNK]

    def leases(self):
        """List the tasks that are leased."""
        query, found = JobQuery(limit=100), []
        while jobs := self.store.list(query):
            found += [
                t for j in jobs for t in self.store.tasks(j.id) if t.state is TaskState.LEASED
            ]
            query = replace(query, before=jobs[-1].id)
        return found

    def close(self):
        self._stack.close()


def worker_processes():
    """List the living workers of the executors of this process."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    return [] if server is None else children_of(server)
