"""Videos that lie, ask for too much, or point elsewhere, in the process that looks at them."""

from __future__ import annotations

import os
import signal
import struct
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.inspection import InspectionRequest, inspect_video
from sightline.jobs.limits import MediaLimits
from sightline.jobs.prober import Prober
from sightline.jobs.sniff import SourceError, source_options
from sightline.media.files import open_file

PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


@pytest.fixture(scope="module")
def prober():
    with closing(Prober()) as prober:
        yield prober


@pytest.fixture
def request_for(tmp_path):
    def request_for(path, **limits):
        return InspectionRequest(
            path=str(path),
            limits=replace(MediaLimits(), **limits),
            sizes=ChunkSizes(target_s=1.0),
            thumbnail=str(tmp_path / "thumbnail.jpg"),
        )

    return request_for


@pytest.fixture
def look(prober, request_for):
    def look(path, **limits):
        with prober.probing(request_for(path, **limits)) as probe:
            return probe.result(tick=lambda: None)

    return look


def refusal(look, path, **limits):
    with pytest.raises(SourceError) as caught:
        look(path, **limits)
    assert "\n" not in str(caught.value)
    return caught.value


def boxes(content, change):
    """Copy MP4 boxes, with `change` applied to the content of those that hold no others."""
    position, copied = 0, b""
    while position < len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        inner = content[position + 8 : position + size]
        inner = boxes(inner, change) if kind in PARENTS else change(kind, inner)
        copied += struct.pack(">I4s", len(inner) + 8, kind) + inner
        position += size
    return copied


def alias(path):
    """A data reference that points to another file, as QuickTime writes it."""
    name = str(path).encode()
    name += b"\x00" * (len(name) % 2)
    record = bytes(10 + 28 + 12 + 64 + 16 + 4 + 16)
    record += struct.pack(">hH", 2, len(name)) + name + struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", len(record) + 12, b"alis", 0) + record
    return struct.pack(">II", 0, 1) + entry


def test_a_video_is_described(look, write_video, tmp_path):
    found = look(write_video("a.mp4", codec_options={"g": "15"}, rotation=90))
    assert (found.container, found.codec, found.playable) == ("mov", "h264", True)
    assert (found.width, found.height) == (120, 160)
    assert (found.frames, found.frame_rate, found.duration_s) == (90, 25.0, 3.6)
    assert sum(span.frames for span in found.spans) == 90
    assert len(found.spans) > 1
    assert (tmp_path / "thumbnail.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("name", "recipe", "playable"),
    [
        ("a.mov", {}, True),
        ("a.mkv", {}, False),
        ("a.avi", {"codec": "mpeg4"}, False),
        ("a.ts", {}, False),
        ("a.webm", {"codec": "libvpx"}, True),
        ("a.webm", {"codec": "libvpx-vp9"}, True),
        ("a.mkv", {"codec": "libvpx"}, False),
        ("a.mp4", {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}}, False),
        ("a.mp4", {"pixels": "yuv444p"}, False),
        ("a.mp4", {"codec": "mpeg4"}, False),
    ],
)
def test_what_browsers_play_is_known(request_for, write_video, name, recipe, playable):
    path = write_video(name, count=20, **recipe)
    assert inspect_video(request_for(path)).playable is playable


def test_a_range_is_what_counts(request_for, write_video):
    request = replace(
        request_for(write_video("a.mp4"), max_duration_s=2.0, max_frames=50), start_s=1.0, end_s=2.0
    )
    found = inspect_video(request)
    assert (found.frames, found.duration_s) == (25, 1.0)


def test_a_playlist_that_is_called_a_video_is_not_opened(look, tmp_path):
    secret = tmp_path / "secret.ts"
    path = tmp_path / "video.mp4"
    os.mkfifo(secret)  # whoever opened it would hang
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n")
    assert refusal(look, path).code == "source-not-video"


def test_a_container_that_is_forced_is_not_searched_for_another(write_video, tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"\x00\x00\x00\x08free" + write_video("a.mkv", count=5).read_bytes())
    with pytest.raises(MediaError):
        open_file(path, options=source_options(path))


def test_another_file_that_an_mp4_refers_to_is_not_opened(look, write_video, tmp_path):
    outside = write_video("outside.mp4", count=10)
    content = outside.read_bytes()
    hostile = tmp_path / "hostile.mp4"
    hostile.write_bytes(
        boxes(content, lambda kind, inner: alias(outside) if kind == b"dref" else inner)
    )
    danger = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(hostile), options=danger) as container:
        assert len(list(container.decode(video=0))) == 10, "FFmpeg would follow the reference"
    assert refusal(look, hostile).code == "source-unreadable"


@pytest.mark.parametrize("name", ["a.avi", "a.mov"])
def test_a_header_that_asks_for_huge_pictures_is_refused_before_they_are_made(
    look, write_video, name
):
    path = write_video(name, codec="mjpeg", pixels="yuvj420p", count=5)
    size, huge = (160, 120), (30000, 30000)
    content = path.read_bytes()
    for code in ("<ii", ">HH"):  # BITMAPINFOHEADER, sample entry
        content = content.replace(struct.pack(code, *size), struct.pack(code, *huge))
    content = content.replace(struct.pack(">HH", *size[::-1]), struct.pack(">HH", *huge))  # SOF
    path.write_bytes(content)
    error = refusal(look, path, memory_bytes=2**30)  # one of them would take 3 gigabytes
    assert f"more than {8192 * 4352} pixels" in str(error)


def test_pictures_beyond_the_limit_are_refused_by_their_size(look, write_video):
    error = refusal(look, write_video("a.mp4", count=5), max_pixels=160 * 120 - 1)
    assert error.code == "source-over-limit"
    assert "160 x 120" in str(error)


def test_pictures_that_grow_later_are_not_decoded(write_video, tmp_path):
    """The pixel limit holds for every picture, not for the first alone."""
    small = write_video("small.ts", count=200)  # more than is looked at when it is opened
    large = write_video("large.ts", count=5, size=(640, 480))
    path = tmp_path / "growing.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    options = source_options(path, limits=MediaLimits(max_pixels=192 * 128))
    with closing(open_file(path, options=options)) as source:
        assert {frame.image.shape for frame in source.frames()} == {(120, 160, 3)}


def test_a_video_that_claims_to_last_for_days_is_refused(look, write_video):
    times = [0, 1, 2, 3 * 86400 * 25]
    error = refusal(look, write_video("long.mkv", count=4, times=times))
    assert error.code == "source-over-limit"
    assert "86400 s" in str(error)


def test_thousands_of_empty_pictures_in_a_small_file_are_counted(look, write_video):
    path = write_video("empty.mp4", count=3000, size=(64, 48), rate=100)
    pixels = 64 * 48
    for limits in ({"max_frames": 2999}, {"max_total_pixels": 2999 * pixels}):
        assert refusal(look, path, **limits).code == "source-over-limit"
    assert refusal(look, path, max_frame_rate=99.0).code == "source-over-limit"
    assert look(path, max_frames=3000, max_total_pixels=3000 * pixels).frames == 3000


def test_frames_that_the_header_hides_are_counted_all_the_same(request_for, write_video):
    path = write_video("a.ts", count=90)  # a transport stream states no number
    with pytest.raises(SourceError, match="90 frames"):
        inspect_video(request_for(path, max_frames=89, max_duration_s=1e6))


def test_too_many_streams_are_refused(request_for, tmp_path):
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(9)]
        for stream in streams:
            stream.codec_context.width = stream.codec_context.height = 32
            stream.codec_context.pix_fmt = "yuv420p"
        for stream in streams:
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
            container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="9 streams"):
        inspect_video(request_for(path, max_streams=8))


def test_a_file_without_video_is_unreadable(look, tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        for index in range(3):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp")
            frame.rate, frame.pts = 48000, index * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refusal(look, path).code == "source-unreadable"


def test_a_damaged_file_is_unreadable(look, write_video):
    path = write_video("a.mp4")
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    content[start : content.index(b"moov") - 4] = bytes(content.index(b"moov") - 4 - start)
    path.write_bytes(content)
    assert refusal(look, path).code == "source-unreadable"


def test_memory_is_limited(look, write_video):
    error = refusal(look, write_video("a.mp4"), memory_bytes=2**20)
    assert error.code in ("source-over-limit", "source-unreadable")


@pytest.fixture
def endless(tmp_path):
    """A file on whose first byte a reader waits for ever."""
    path = tmp_path / "endless.mp4"
    os.mkfifo(path)
    return path


def children():
    folder = Path(f"/proc/self/task/{threading.get_native_id()}")
    return [int(pid) for pid in (folder / "children").read_text().split()]


def test_a_process_that_hangs_is_ended(look, endless):
    error = refusal(look, endless, wall_s=0.1)
    assert error.code == "source-over-limit"
    assert "takes longer than 0.1 s" in str(error)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGSEGV, "source-unreadable"),
        (signal.SIGABRT, "source-unreadable"),
        (signal.SIGXCPU, "source-over-limit"),
        (signal.SIGKILL, "source-over-limit"),
    ],
)
def test_a_process_that_dies_is_a_failure_of_its_video_alone(request_for, endless, number, code):
    others = set(children())  # processes that multiprocessing keeps for the tests that follow
    with closing(Prober()) as prober:

        def kill():
            for pid in set(children()) - others:
                os.kill(pid, number)

        with prober.probing(request_for(endless)) as probe, pytest.raises(SourceError) as caught:
            probe.result(tick=kill)
        assert caught.value.code == code


def test_whoever_waits_may_give_up_and_leaves_no_process(request_for, endless):
    class StopError(Exception):
        pass

    def stop():
        raise StopError

    before = children()
    prober = Prober()
    with pytest.raises(StopError), prober.probing(request_for(endless)) as probe:
        probe.result(tick=stop)
    prober.close()
    assert children() == before


def test_a_process_is_ready_when_it_has_loaded_all_that_it_needs():
    """What is loaded after the request has come is paid for by whoever waits."""
    before = set(children())
    with closing(Prober()) as prober:
        assert prober.wait_ready(60.0)
        (pid,) = set(children()) - before
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "libavcodec" in mapped
        assert "cv2" in mapped
    assert not prober.wait_ready(0.0)


def test_a_process_that_waits_and_dies_is_replaced(request_for, write_video):
    before = set(children())
    with closing(Prober()) as prober:
        for pid in set(children()) - before:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with prober.probing(request_for(write_video("a.mp4", count=5))) as probe:
            assert probe.result(tick=lambda: None).frames == 5


def test_the_process_has_no_environment_no_folder_and_little_of_everything(
    request_for, endless, monkeypatch
):
    monkeypatch.setenv("SECRET_OF_THE_SERVICE", "geheim")
    before = set(children())
    seen = {}

    class SeenError(Exception):
        pass

    def observe():
        (pid,) = set(children()) - before
        folder = Path(f"/proc/{pid}")
        limits = (folder / "limits").read_text()
        if " 12345678 " not in limits:
            return  # it has not begun yet
        seen["limits"] = limits
        seen["environment"] = (folder / "environ").read_bytes()
        seen["folder"] = str((folder / "cwd").readlink())
        seen["status"] = (folder / "status").read_text()
        raise SeenError

    memory = 12345678
    with (
        closing(Prober()) as prober,
        pytest.raises(SeenError),
        prober.probing(request_for(endless, memory_bytes=2**32, cpu_s=memory)) as probe,
    ):
        probe.result(tick=observe)
    assert b"geheim" not in seen["environment"]
    assert seen["folder"].endswith("(deleted)")
    assert "Max core file size        0 " in seen["limits"]
    assert "NoNewPrivs:\t1" in seen["status"]
