"""`annotated.mp4` in a real browser: it plays from a server, with the right size and length."""

import http.server
import threading
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from tests.browser_fixtures import browser

from sightline.frame import Frame
from sightline.sinks.video import VideoFile
from sightline.stream import StreamInfo

__all__ = ["browser"]

PAGE = '<!doctype html><video id="v" src="annotated.mp4" muted preload="auto"></video>'
PLAYED = """
async () => {
  const video = document.getElementById("v");
  await video.play();
  await new Promise((done, failed) => {
    video.onended = done;
    video.onerror = () => failed(video.error.message);
  });
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return {
    width: video.videoWidth,
    height: video.videoHeight,
    duration: video.duration,
    pixel: Array.from(context.getImageData(40, 40, 1, 1).data).slice(0, 3),
  };
}
"""


@pytest.fixture
def served(tmp_path):
    """Serve a folder on loopback; yields the folder and its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def write_video(path, size, color):
    width, height = size
    stream = StreamInfo(
        name="v", width=width, height=height, time_base=Fraction(1, 25), frame_rate=Fraction(25)
    )
    sink = VideoFile(path)
    sink.open(stream)
    for seq in range(25):
        image = np.full((height, width, 3), color, np.uint8)
        sink.write(Frame(image=image, seq=seq, pts=seq, time_base=Fraction(1, 25)))
    sink.close()


def test_the_annotated_video_plays_in_a_browser_with_its_size_length_and_colours(browser, served):
    folder, address = served
    write_video(folder / "annotated.mp4", (321, 181), color=(40, 180, 90))
    (folder / "page.html").write_text(PAGE)
    page = browser.new_page()
    page.goto(f"{address}/page.html")
    played = page.evaluate(PLAYED)
    page.close()
    assert (played["width"], played["height"]) == (322, 182)
    assert played["duration"] == pytest.approx(1.0, abs=0.05)
    assert played["pixel"] == pytest.approx([90, 180, 40], abs=6)
