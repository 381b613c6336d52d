"""What every source promises: read once, closed from anywhere, names what went wrong."""

from __future__ import annotations

import gc
import threading
import time

import av
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions
from sightline.media.source import Source


@pytest.fixture(params=["file", "images", "scene"])
def spec(request, tmp_path, write_video):
    """Something to open, of each kind that needs no server."""
    if request.param == "file":
        return write_video("a.mp4")
    if request.param == "scene":
        return "scene:street?frames=20&width=320&height=240"
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(20):
        av.VideoFrame(32, 32, "rgb24").save(folder / f"{number}.png")
    return folder


def test_it_is_a_source(spec):
    source = open_source(spec)
    assert isinstance(source, Source)
    assert open_source(source) is source
    source.close()


def test_options_for_an_open_source_are_refused(spec):
    source = open_source(spec)
    with pytest.raises(ValueError, match="options have no effect"):
        open_source(source, options=SourceOptions())
    source.close()


def test_frames_agree_with_what_was_announced(spec):
    source = open_source(spec)
    frames = list(source.frames())
    info = source.info
    assert [frame.seq for frame in frames] == list(range(20))
    assert info.frame_count == 20
    assert {(frame.stream, frame.time_base) for frame in frames} == {(info.name, info.time_base)}
    assert {(frame.width, frame.height) for frame in frames} == {(info.width, info.height)}
    source.close()


def test_it_is_read_once(spec):
    source = open_source(spec)
    assert len(list(source.frames())) == 20
    with pytest.raises(MediaError, match="was read already"):
        source.frames()
    source.close()


def test_closing_twice_and_after_the_end_does_no_harm(spec):
    source = open_source(spec)
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
    source.close()


def test_closing_before_reading_leaves_nothing_to_read(spec):
    source = open_source(spec)
    source.close()
    assert list(source.frames()) == []


def test_it_may_be_read_by_another_thread_than_the_one_that_opened_it(spec):
    source = open_source(spec)
    counts = []
    thread = threading.Thread(target=lambda: counts.append(sum(1 for _ in source.frames())))
    thread.start()
    thread.join(30)
    source.close()
    assert counts == [20]


def test_closing_while_another_thread_reads_ends_it_soon(write_video):
    path = write_video("long.mp4", count=200, codec_options={"preset": "ultrafast"})
    for delay in (0, 1, 2, 5, 20, 60):
        source = open_source(path)
        reached, seen = threading.Event(), []

        def read(source=source, reached=reached, seen=seen, delay=delay):
            for frame in source.frames():
                seen.append(frame.seq)
                if len(seen) > delay:
                    reached.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert reached.wait(30)
        source.close()
        thread.join(30)
        assert not thread.is_alive()
        assert seen == list(range(len(seen)))


def test_frames_outlive_their_source(write_video):
    source = open_source(write_video("a.mp4"))
    frames = list(source.frames())
    copies = [frame.image.copy() for frame in frames]
    source.close()
    del source
    gc.collect()
    assert all((frame.image == copy).all() for frame, copy in zip(frames, copies, strict=True))


def test_a_file_that_is_never_read_to_its_end_is_released(write_video):
    path = write_video("a.mp4")
    threads = threading.active_count()
    for _ in range(30):
        source = open_source(path)
        next(source.frames())
        source.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        gc.collect()
    assert threading.active_count() == threads
