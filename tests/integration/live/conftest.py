"""A web page on a free port, and cameras that never end."""

import threading
import time
from contextlib import ExitStack
from fractions import Fraction

import httpx
import numpy as np
import pytest

from sightline.frame import Frame
from sightline.live.web import Web
from sightline.stream import StreamInfo

DEADLINE_S = 30
PACE_S = 0.005


def wait_until(condition, what="the condition"):
    """Wait with a deadline; return what is true."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"{what} did not come true"
        time.sleep(PACE_S)
    return value


@pytest.fixture(name="wait_until")
def wait_until_fixture():
    return wait_until


def stream_of(name, width=64, height=48):
    return StreamInfo(name=name, width=width, height=height, time_base=Fraction(1, 25))


@pytest.fixture(name="stream_of")
def stream_of_fixture():
    return stream_of


class Camera:
    """Writes frames whose gray changes from frame to frame into a sink, until it is closed."""

    def __init__(self, sink, name, size):
        self._sink = sink
        self._size = size
        self._over = threading.Event()
        self.frames = 0
        sink.open(stream_of(name, *size))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        width, height = self._size
        memory = np.empty((height, width, 3), np.uint8)  # one for all frames, as in a graph
        while not self._over.wait(PACE_S):
            memory[:] = self.frames % 16 * 16
            self._sink.write(Frame(image=memory, seq=self.frames, pts=self.frames))
            self.frames += 1

    def stop(self):
        """Send no more frames; the stream stays open."""
        self._over.set()
        self._thread.join()

    def close(self):
        self.stop()
        self._sink.close()


@pytest.fixture
def web():
    with Web(0) as web:
        yield web


@pytest.fixture
def start_camera(web):
    """Start cameras by name; they are closed before the web page."""
    with ExitStack() as stack:

        def start(name="gate", size=(64, 48)):
            camera = Camera(web.for_stream(stream_of(name)), name, size)
            stack.callback(camera.close)
            return camera

        yield start


@pytest.fixture
def get(web):
    """Get a path of the page."""
    with httpx.Client(timeout=DEADLINE_S, trust_env=False) as client:
        yield lambda path, **options: client.get(f"{web.address}/{path}", **options)
