"""The web page of `sightline serve`, with its real workers, in a real browser."""

import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import httpx
import pytest
from tests.acceptance.graph.test_killed_parent import PARENT, ROOT
from tests.browser_fixtures import browser, expected_complaints, page
from tests.graph_fixtures import Graphs
from tests.graph_stages import Numbered, Read
from tests.graph_witness import processes_of
from tests.job_service import RATE, until, write_video
from tests.serve_process import PATIENCE_S, ServeProcess

from sightline import StreamSpec
from sightline.media.scene.scene import Scene
from sightline.media.scene.settings import SceneSettings
from sightline.transport.run_directory import reap_dead_runs

__all__ = ["browser", "expected_complaints", "page"]

FRAMES = 50
SHOWN = "() => Number(document.getElementById('overlay').dataset.objects) > 0"


@pytest.fixture(scope="module")
def runs():
    """The folder in which graphs say that they run; short, because sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        yield Path(folder, "runs")


@pytest.fixture(scope="module")
def service(tmp_path_factory, runs):
    """A service that looks for graphs there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SIGHTLINE_RUNTIME_DIR", str(runs))
        process = ServeProcess(tmp_path_factory.mktemp("served") / "data", "--workers", "1")
    with process:
        yield process
        assert process.end() == (130, "")


@pytest.fixture
def graphs(runs):
    started = Graphs(runs)
    yield started
    started.close()
    started.check()


@pytest.fixture
def address(service):
    return service.url


@pytest.fixture
def api(address):
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        yield client


def write_avi(path):
    """Write the street in a codec that no browser plays: MPEG-4 part 2."""
    scene = Scene(SceneSettings(width=320, height=180, frames=FRAMES, seed=3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            image = av.VideoFrame.from_ndarray(scene.render(number), format="bgr24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["street.mp4", "street.avi"])
def test_a_video_is_submitted_watched_played_and_its_results_saved(
    page, api, tmp_path, sightline, name
):
    is_playable = name.endswith("mp4")
    make = write_video if is_playable else write_avi
    video = make(tmp_path / name)
    page.goto("/")
    page.locator("#files").set_input_files(video)
    page.get_by_role("button", name="Start").click()
    row = page.locator(".job", has=page.get_by_role("link", name=name, exact=True))
    row.get_by_text("Succeeded").wait_for()
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_function(SHOWN)
    job = api.get("/v1/jobs").json()["jobs"][0]
    assert job["video"]["playable"] is is_playable

    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.getElementById('video').ended")
    size = page.evaluate(
        "() => { const { videoWidth, videoHeight } = document.getElementById('video');"
        " return [videoWidth, videoHeight]; }"
    )
    assert size == [320, 180]
    with page.expect_download() as download:
        page.get_by_role("link", name="mot.txt").click()
    arguments = ("--detector", "demo", "-q", "-f", "mot", "-o", tmp_path / "out")
    assert sightline("track", video, *arguments).returncode == 0
    inline = (tmp_path / "out" / "street" / "mot.txt").read_bytes()
    assert len(inline) > 1000
    assert download.value.path().read_bytes() == inline


def streams(api):
    answer = api.get("/v1/streams")
    assert answer.status_code == 200, answer.text
    return {stream["name"]: stream for stream in answer.json()["streams"]}


def test_streams_of_graphs_beside_the_service_are_shown_while_they_live(page, api, graphs):
    assert streams(api) == {}
    page.goto("/streams")
    page.get_by_text("No real-time graph runs on this machine.").wait_for()
    sources = [StreamSpec(Numbered(name, 100_000), name=name, rate=50) for name in ("gate", "dock")]
    with graphs.start([Read()], sources, handlers=1) as run:
        seen = until(
            lambda: (
                (now := streams(api)).keys() == {"gate", "dock"}
                and all(stream["frames"] for stream in now.values())
                and now
            )
        )
        until(lambda: streams(api)["gate"]["frames"] > seen["gate"]["frames"])
        table = page.get_by_role("table", name=f"Streams of graph {seen['gate']['run']}")
        for name in ("gate", "dock"):
            table.get_by_role("row", name=name).get_by_text("Live", exact=True).wait_for()
        assert processes_of(run, "feeder")
    page.get_by_text("No real-time graph runs on this machine.").wait_for()
    assert streams(api) == {}


def test_a_graph_that_was_killed_is_shown_no_more(api, runs):
    folder = runs.parent
    (folder / "begun").mkdir()
    with subprocess.Popen(
        [sys.executable, PARENT, folder, "asleep"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        try:
            assert parent.stdout.readline()
            until(lambda: streams(api).keys() == {"a"})
        finally:
            parent.kill()
    assert streams(api) == {}
    reap_dead_runs(runs)
