"""Streams from a real RTSP server (GStreamer's, see tests/debian-packages.txt)."""

from __future__ import annotations

import signal
import subprocess
import traceback
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
PASSWORD = "geheim"
BASELINE = {"x264-params": "bframes=0:keyint=10", "preset": "ultrafast"}


@pytest.fixture(scope="module", autouse=True)
def _server_is_installed(missing):
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if Path(SYSTEM_PYTHON).exists() and (
        subprocess.run([SYSTEM_PYTHON, "-c", check], capture_output=True, check=False).returncode
        == 0
    ):
        return
    missing("GStreamer's RTSP server (tests/debian-packages.txt)")


@contextmanager
def serving(video, *credentials):
    """Run a server; yields its process and the part of the address after `rtsp://`."""
    command = [SYSTEM_PYTHON, str(SERVER), str(video), *credentials]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, f"127.0.0.1:{int(process.stdout.readline())}/video"
        finally:
            process.kill()


def test_a_stream_is_read_to_its_end(write_video, read_number):
    video = write_video("a.mkv", count=30, rate=100, codec_options=BASELINE)
    with serving(video) as (_, place), closing(open_source(f"rtsp://{place}")) as source:
        numbers = [read_number(frame.image) for frame in source.frames()]
        info = source.info
    assert numbers == list(range(30))
    assert (info.width, info.height) == (128, 96)
    assert info.name == place.replace(":", "-").replace("/", "-")
    assert not info.live  # the server states how long the recording is
    assert not source.losses


def test_a_stream_is_read_over_udp_which_may_lose_some(write_video, read_number):
    video = write_video("a.mkv", count=30, rate=100, codec_options=BASELINE)
    options = SourceOptions(rtsp_transport="udp")
    with (
        serving(video) as (_, place),
        closing(open_source(f"rtsp://{place}", options=options)) as source,
    ):
        numbers = [read_number(frame.image) for frame in source.frames()]
        losses = source.losses
    assert set(numbers) <= set(range(30))
    # Only a gap shows: when the last packets of a datagram stream are lost, nobody can know.
    assert numbers
    assert numbers == list(range(len(numbers))) or losses


def test_credentials_open_a_protected_stream_and_appear_nowhere(write_video):
    video = write_video("a.mkv", rate=100, codec_options=BASELINE)
    with serving(video, "ann", PASSWORD) as (_, place):
        with closing(open_source(f"rtsp://ann:{PASSWORD}@{place}")) as source:
            assert len(list(source.frames())) == 20
            assert "ann" not in source.info.name
        with pytest.raises(MediaError) as wrong_path:
            open_source(f"rtsp://ann:{PASSWORD}@{place}-no")
        with pytest.raises(MediaError) as wrong_password:
            open_source(f"rtsp://ann:no-{PASSWORD}@{place}")
    assert "404" in str(wrong_path.value)
    assert "401" in str(wrong_password.value)
    for caught in (wrong_path, wrong_password):
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
        assert f"rtsp://***@{place}" in str(caught.value)


def test_a_server_that_dies_ends_the_stream_and_that_is_reported(write_video):
    video = write_video("a.mkv", count=400, codec_options=BASELINE)
    with serving(video) as (process, place), closing(open_source(f"rtsp://{place}")) as source:
        frames = source.frames()
        next(frames)
        process.kill()
        count = 1 + len(list(frames))
        assert count < 400
        assert source.losses.truncated
        assert "s of 16.00 s" in source.losses.messages[-1]


def test_a_server_that_falls_silent_is_an_error_after_the_time_limit(write_video):
    video = write_video("a.mkv", count=400, codec_options=BASELINE)
    options = SourceOptions(timeout_s=1)
    with (
        serving(video) as (process, place),
        closing(open_source(f"rtsp://{place}", options=options)) as source,
    ):
        frames = source.frames()
        next(frames)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(MediaError, match=r"127\.0\.0\.1.*: no data came for 1 s"):
            list(frames)


def test_a_live_stream_cannot_be_searched():
    with pytest.raises(MediaError, match="start_s and end_s are for recorded videos"):
        open_source("rtsp://127.0.0.1:9/video", options=SourceOptions(start_s=1))
