"""The page of a real service in a real browser; jobs are done when a test says so."""

import shutil
import threading
from contextlib import closing, contextmanager
from functools import partial

import httpx
import pytest
from tests.browser_fixtures import browser, expected_complaints, page
from tests.integration.service.served import make_services, served

from sightline.jobs.states import TaskKind
from sightline.jobs.store import LeasePolicy
from sightline.jobs.work import do_task
from sightline.jobs.workplace import WorkOptions, open_workplace
from sightline.media.scene import SceneSettings, SceneSource
from sightline.sinks.video import VideoFile

__all__ = ["browser", "expected_complaints", "page"]

FRAMES = 50


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A video of a street, two seconds long, on which the demo model finds objects."""
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    with (
        closing(SceneSource(SceneSettings(width=320, height=180, frames=FRAMES, seed=7))) as source,
        closing(VideoFile(path)) as video,
    ):
        video.open(source.info)
        for frame in source.frames():
            video.write(frame)
    return path


class Workshop:
    """Does the jobs of a service, in this process."""

    def __init__(self, folder):
        self.policy = LeasePolicy()
        self._place = open_workplace(
            f"sqlite:///{folder / 'jobs.sqlite'}", folder, options=WorkOptions(policy=self.policy)
        )
        self._over = threading.Event()
        self._thread = None

    def claim(self, kind):
        """Take a task that is ready; None if there is none."""
        place = self._place
        return place.store.claim([kind], worker="test", policy=self.policy, now_s=place.clock())

    def give_back(self, lease):
        """Leave a task to others, unharmed."""
        self._place.store.release(lease, policy=self.policy, now_s=self._place.clock())

    def do_one(self, kind):
        """Do a task that is ready; tell whether there was one."""
        lease = self.claim(kind)
        if lease is not None:
            do_task(lease, self._place)
        return lease is not None

    def do_all(self):
        """Do everything that is ready, and what follows from it."""
        for kind in (TaskKind.INGEST, TaskKind.CHUNK, TaskKind.FINAL):
            while self.do_one(kind):
                pass

    def start(self):
        """Do everything from now on, in a thread."""

        def work():
            while not self._over.wait(0.02):
                self.do_all()

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def close(self):
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._place.close()


@pytest.fixture
def services(request, tmp_path):
    """Services without jobs; with one that has succeeded for tests that ask for `done`."""
    if "done" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("with_done"), tmp_path, dirs_exist_ok=True)
    services = make_services(tmp_path)
    yield services
    services.database.close()


@pytest.fixture
def workshop(services, tmp_path):
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.close()


@pytest.fixture
def address(services):
    with served(services) as (host, port):
        yield f"http://{host}:{port}"


@contextmanager
def client_of(address):
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def api(address):
    """A client of the service."""
    with client_of(address) as client:
        yield client


def submit_video(api, video, name="street.mp4", **options):
    """Submit a video under a name; give the job."""
    params = {"detector": "demo", **options.pop("params", {})}
    content = video.read_bytes()
    head = {
        "tus-resumable": "1.0.0",
        "upload-length": str(len(content)),
        "content-type": "application/offset+octet-stream",
    }
    place = api.post("/v1/uploads", content=content, headers=head).headers["location"]
    body = {"upload": place.split("/")[-1], "source_name": name, "params": params, **options}
    answer = api.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.fixture
def submit(api, street):
    """Submit the street under a name; give the job."""
    return partial(submit_video, api, street)


@pytest.fixture(scope="session")
def with_done(tmp_path_factory, street):
    """A data folder with a job that has succeeded, with every format; to be copied."""
    folder = tmp_path_factory.mktemp("done")
    services = make_services(folder)
    with (
        closing(services.database),
        closing(Workshop(folder)) as workshop,
        served(services) as (host, port),
        client_of(f"http://{host}:{port}") as api,
    ):
        submit_video(api, street, outputs=["tracks", "jsonl", "csv", "mot", "coco", "video"])
        workshop.do_all()
    return folder


@pytest.fixture
def done(api):
    """A job that has succeeded, with every format."""
    (job,) = api.get("/v1/jobs").json()["jobs"]
    return job
