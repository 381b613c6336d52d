"""The first task of a job: the video gets into its place, once, whole, and looked at."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.policy import AddressPolicy
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.files import Storage
from sightline.jobs.heartbeat import WrapUpError
from sightline.jobs.ingest import IngestOptions, do_ingest
from sightline.jobs.limits import MediaLimits
from sightline.jobs.model import Job, JobSpec, Lease, Task
from sightline.jobs.prober import Prober
from sightline.jobs.sniff import SourceError
from sightline.jobs.states import Queue, TaskKind

IN_CHUNKS = {"stages": [{"detect": {"detector": "demo"}}, "track"]}
IN_ORDER = {"stages": ["track"]}


class Reports:
    """Stands for a heartbeat: notes what it is told, and stops the task if it is to."""

    def __init__(self, stop_at=None):
        self.heard = []
        self._stop_at = stop_at

    def report(self, *, frames_done=0, bytes_done=0, bytes_total=None):
        self.heard.append((bytes_done, bytes_total))
        if self._stop_at is not None and bytes_done >= self._stop_at:
            raise WrapUpError


class Site:
    """A web server for one folder; counts what is asked for."""

    def __init__(self, folder):
        asked = self.asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=folder)

            def do_GET(self):
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def site(tmp_path):
    with closing(Site(tmp_path)) as site:
        yield site


@pytest.fixture(scope="module")
def prober():
    with closing(Prober()) as prober:
        yield prober


@pytest.fixture
def options(tmp_path, prober):
    return IngestOptions(
        storage=Storage(tmp_path / "data"),
        prober=prober,
        policy=AddressPolicy(private=("127.0.0.1",), ports=None),
        sizes=ChunkSizes(target_s=1.0),
    )


@pytest.fixture
def ingest(options):
    def ingest(reports=None, options=options, token="t1", **spec):
        settings = {"definition": IN_CHUNKS, "source_name": "../../etc/passwd", **spec}
        job = Job(
            id="job-1",
            created_at=0.0,
            spec=JobSpec(pipeline="detect-track", params={}, outputs=("mot",), **settings),
        )
        lease = Lease(
            token=token, task=Task(job_id=job.id, kind=TaskKind.INGEST, queue=Queue.INGEST), job=job
        )
        return do_ingest(lease, options.storage.job(job.id), options, reports or Reports())

    return ingest


@pytest.fixture
def upload(options):
    def upload(path):
        place = options.storage.upload("up-1")
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
        return place

    return upload


def names(options):
    return sorted(path.name for path in options.storage.job("job-1").folder.iterdir())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_video_is_fetched_looked_at_and_divided(site, ingest, options, write_video):
    path = write_video("a.mp4", codec_options={"g": "15"})
    reports = Reports()
    done = ingest(reports, source_url=site.url("a.mp4?token=secret"))
    size = path.stat().st_size
    assert (done.video.size_bytes, done.video.sha256) == (size, digest(path))
    assert (done.video.container, done.video.codec, done.video.frames) == ("mov", "h264", 90)
    assert done.video.playable
    assert sum(span.frames for span in done.spans) == 90
    assert (size, size) in reports.heard
    assert names(options) == ["source", "thumbnail.jpg"]


def test_an_upload_is_taken_without_a_copy(ingest, options, upload, write_video):
    path = write_video("a.webm", codec="libvpx", count=20)
    place = upload(path)
    done = ingest(upload="up-1")
    assert done.video.sha256 == digest(path)
    assert options.storage.job("job-1").source.samefile(place)
    place.unlink()
    assert digest(options.storage.job("job-1").source) == done.video.sha256


def test_a_pipeline_that_needs_its_frames_in_order_gets_no_chunks(ingest, upload, write_video):
    upload(write_video("a.mp4"))
    done = ingest(upload="up-1", definition=IN_ORDER)
    assert not done.spans
    assert done.video.frames == 90


def test_a_later_attempt_takes_the_video_that_is_there(site, ingest, options, write_video):
    write_video("a.mp4", count=20)
    first = ingest(source_url=site.url("a.mp4"))
    folder = options.storage.job("job-1").folder
    (folder / "source.t0.part").write_bytes(b"of an attempt that was killed")
    assert ingest(source_url=site.url("a.mp4"), token="t2") == first
    assert site.asked == ["/a.mp4"]
    assert names(options) == ["source", "thumbnail.jpg"]


def test_the_first_attempt_that_has_the_video_counts(site, ingest, options, write_video):
    """An attempt that lost its lease may still be fetching while the next one does."""
    write_video("a.mp4", count=20)
    other = write_video("b.mp4", count=10)
    files = options.storage.job("job-1")

    class Racing(Reports):
        def report(self, **figures):
            super().report(**figures)
            if not files.source.exists():
                shutil.copy(other, files.source)

    assert ingest(Racing(), source_url=site.url("a.mp4")).video.sha256 == digest(other)
    assert names(options) == ["source", "thumbnail.jpg"]


def test_a_task_that_is_to_end_leaves_nothing_half_done(site, ingest, options, write_video):
    write_video("a.mp4")
    with pytest.raises(WrapUpError):
        ingest(Reports(stop_at=1), source_url=site.url("a.mp4"))
    assert names(options) == []


def test_a_video_beyond_the_limit_of_bytes_is_not_taken(site, ingest, options, upload, write_video):
    upload(write_video("a.mp4"))
    small = replace(options, limits=MediaLimits(max_bytes=1000))
    with pytest.raises(FetchError) as fetched:
        ingest(source_url=site.url("a.mp4"), options=small)
    assert fetched.value.code is FetchCode.TOO_LARGE
    with pytest.raises(SourceError) as uploaded:
        ingest(upload="up-1", options=small)
    assert uploaded.value.code == "source-too-large"
    assert names(options) == []


def test_an_upload_that_is_gone_is_told(ingest):
    with pytest.raises(SourceError) as caught:
        ingest(upload="up-1")
    assert caught.value.code == "source-not-found"


def test_a_playlist_is_refused_wherever_it_comes_from(site, ingest, tmp_path, upload):
    playlist = tmp_path / "a.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\n{site.url('secret.ts')}\n")
    upload(playlist)
    for source in ({"source_url": site.url("a.mp4")}, {"upload": "up-1"}):
        with pytest.raises(SourceError) as caught:
            ingest(**source)
        assert caught.value.code == "source-not-video"
    assert site.asked == ["/a.mp4"]


def test_an_address_inside_is_refused_by_default(site, ingest, options):
    with pytest.raises(FetchError) as caught:
        ingest(source_url=site.url("a.mp4"), options=replace(options, policy=AddressPolicy()))
    assert caught.value.code is FetchCode.ADDRESS_REFUSED
    assert not site.asked


def test_names_of_strangers_do_not_become_paths(site, ingest, options, tmp_path, write_video):
    write_video("a.mp4", count=20)
    ingest(source_url=site.url("%2e%2e/..%2f/a.mp4"), source_name="../../../evil")
    everything = {path.name for path in tmp_path.rglob("*")}
    assert everything == {"a.mp4", "data", "jobs", "job-1", "source", "thumbnail.jpg"}
