"""A service with a real database in a temporary folder, and a client of its application."""

import asyncio
import shutil
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from sightline import Pipeline
from sightline.jobs.detect_track import DetectTrack
from sightline.jobs.detectors import AllowedDetectors
from sightline.jobs.files import Storage
from sightline.jobs.pipelines import Offers
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.workplace import WorkOptions, Workplace
from sightline.pipeline.stages import Track
from sightline.service.access import Access
from sightline.service.application import make_application
from sightline.service.options import ServeOptions
from sightline.service.secret import load_secret
from sightline.service.server import Server, configuration
from sightline.service.services import Services
from sightline.service.uploads import Uploads
from sightline.settings import Settings
from sightline.sinks.video import VideoFile
from sightline.testing.executor import InlineExecutor
from sightline.transport.tcp_listener import listen_tcp


class Client:
    """Speaks to an application in a loop of its own thread; its lifespan runs meanwhile."""

    def __init__(self, application):
        self.application = application
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._lifespan = application.router.lifespan_context(application)
        self._run(self._lifespan.__aenter__())
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(application, raise_app_exceptions=False),
            base_url="http://localhost",
        )

    def request(self, method, path, **about):
        return self._run(self._client.request(method, path, **about))

    def get(self, path, **about):
        return self.request("GET", path, **about)

    def post(self, path, **about):
        return self.request("POST", path, **about)

    def delete(self, path, **about):
        return self.request("DELETE", path, **about)

    def begin(self, method, path, **about):
        """Send a request without waiting for its answer: a future."""
        return asyncio.run_coroutine_threadsafe(
            self._client.request(method, path, **about), self._loop
        )

    def close(self):
        self._run(self._client.aclose())
        self._run(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


@pytest.fixture
def database_url(tmp_path):
    """Where the services keep their rows; modules choose another place."""
    return sqlite_in(tmp_path)


def sqlite_in(folder):
    return f"sqlite:///{folder / 'jobs.sqlite'}"


@contextmanager
def opened(folder, database_url):
    """Give the services of a data folder; their jobs are done when a test says so."""
    database = Database(database_url)
    database.migrate()
    store = SqlJobStore(database)
    storage = Storage(folder)
    place = Workplace(store, storage, options=WorkOptions())
    executor = InlineExecutor(place)
    executor.start()
    detectors = AllowedDetectors(["demo", "motion"], settings=Settings())
    yield Services(
        store=store,
        storage=storage,
        database=database,
        offers=Offers([DetectTrack(detectors)]),
        access=Access.over(database, store, secret=load_secret(folder), local=True),
        uploads=Uploads(database, storage),
        free_bytes=0,
        executor=executor,
    )
    executor.close()
    place.close()
    database.close()


@pytest.fixture
def services(request, tmp_path, database_url):
    """Services without jobs; with one that has succeeded for tests that ask for `finished`."""
    if "finished" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("with_finished"), tmp_path, dirs_exist_ok=True)
    with opened(tmp_path, database_url) as services:
        yield services


@pytest.fixture
def connect():
    """Make clients of services; they are closed at the end."""
    clients = []

    def make(services):
        clients.append(Client(make_application(services)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(services, connect):
    return connect(services)


@contextmanager
def served(application):
    """Serve an application on a free port, as the service does; gives the server and its port."""
    listener = listen_tcp("127.0.0.1", 0)
    options = ServeOptions(data_dir=Path("unused"))
    server = Server(configuration(application, options), application.state.watcher)
    is_ready = threading.Event()
    server.when_ready = is_ready.set
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert is_ready.wait(30)
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def serve():
    """Serve applications over HTTP; give the server and its port."""
    with ExitStack() as stack:
        yield lambda application: stack.enter_context(served(application))


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A street scene of 50 frames."""
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    source = "scene:street?seed=7&frames=50"
    Pipeline([Track()]).run(source, sinks=[VideoFile(path)])
    return path


@pytest.fixture(scope="session")
def submit_video(video):
    """Upload a video for a job with every kind of result; give the job's object."""

    def submit(client):
        answer = client.post(
            "/v1/jobs",
            files={"file": ("street.mp4", video.read_bytes())},
            data={"job": '{"outputs": ["tracks", "mot", "video"], "labels": {"site": "north"}}'},
        )
        assert answer.status_code == 202, answer.text
        return answer.json()

    return submit


@pytest.fixture(scope="session")
def with_finished(tmp_path_factory, submit_video):
    """A data folder with a job that succeeded, with every kind of result; to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    with (
        opened(folder, sqlite_in(folder)) as services,
        closing(Client(make_application(services))) as client,
    ):
        submit_video(client)
        services.executor.run_until_idle()
    return folder


@pytest.fixture
def finished(client):
    """A job that succeeded, with every kind of result: its object."""
    (job,) = client.get("/v1/jobs").json()["jobs"]
    return client.get(job["links"]["self"]).json()
