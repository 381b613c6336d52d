"""Video files of every kind: each frame once, in order, at its time, and nothing reported lost."""

from __future__ import annotations

import os
from contextlib import closing
from fractions import Fraction
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from sightline.media.opening import open_source

B_FRAMES = {"x264-params": "bframes=3:b-adapt=0:keyint=12"}
QUIET = {"x265-params": "log-level=none:bframes=3:keyint=12"}
VP9 = {"deadline": "realtime", "cpu-used": "8", "g": "10"}

KINDS = {
    "h264.mp4": {},
    "b-frames.mp4": {"codec_options": B_FRAMES},
    "open-gop.mp4": {"codec_options": {"x264-params": "bframes=3:keyint=12:open-gop=1"}},
    "faststart.mp4": {"container_options": {"movflags": "faststart"}},
    "fragmented.mp4": {
        "codec_options": B_FRAMES,
        "container_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "dash.mp4": {
        "codec_options": B_FRAMES,
        "container_options": {"movflags": "frag_keyframe+dash+delay_moov+global_sidx"},
    },
    "hevc.mp4": {"codec": "libx265", "codec_options": QUIET},
    "long-sound.mp4": {"audio_s": 3.0},
    "short-sound.mp4": {"audio_s": 0.2},
    "interlaced.mp4": {"codec_options": {"x264-params": "tff=1"}},
    "quicktime.mov": {"codec_options": B_FRAMES},
    "h264.mkv": {"codec_options": B_FRAMES},
    "hevc.mkv": {"codec": "libx265", "codec_options": QUIET},
    "long-sound.mkv": {"audio_s": 3.0},
    "short-sound.mkv": {"audio_s": 0.2},
    "live.mkv": {"container_options": {"live": "1"}},
    "h264.ts": {"codec_options": B_FRAMES},
    "sound.ts": {"audio_s": 1.0},
    "h264.avi": {"codec_options": B_FRAMES},
    "mpeg4.avi": {"codec": "mpeg4", "codec_options": {"bf": "2"}},
    "motion-jpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "raw.avi": {"codec": "rawvideo", "pixels": "bgr24"},
    "vp8.webm": {"codec": "libvpx", "codec_options": {"auto-alt-ref": "1", "lag-in-frames": "9"}},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": VP9},
    "vp9-hidden.webm": {
        "codec": "libvpx-vp9",
        "codec_options": {"auto-alt-ref": "1", "lag-in-frames": "9", "cpu-used": "8"},
    },
    "vp9.ivf": {"codec": "libvpx-vp9", "codec_options": VP9},
    "h264.flv": {"codec_options": B_FRAMES},
    "sound.flv": {"audio_s": 1.0},
    "mpeg2.mpg": {"codec": "mpeg2video", "codec_options": {"bf": "2", "b": "2M"}},
    "wmv2.wmv": {"codec": "wmv2", "codec_options": {"b": "2M"}},
    "vp8.ogv": {"codec": "libvpx"},
    "h264.h264": {"codec_options": B_FRAMES},
    "h264.nut": {"codec_options": B_FRAMES},
    "ffv1.mkv": {"codec": "ffv1"},
}


def frames_of(path, **kwargs):
    with closing(open_source(path, **kwargs)) as source:
        return list(source.frames()), source


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_comes_once_in_order_and_nothing_is_reported_lost(
    name, write_video, read_number
):
    frames, source = frames_of(write_video(name, **KINDS[name]))
    assert [read_number(frame.image) for frame in frames] == list(range(20))
    assert [frame.seq for frame in frames] == list(range(20))
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert not source.losses
    assert source.losses.messages == []
    assert {frame.stream for frame in frames} == {name.rpartition(".")[0]}


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_shown_a_twentyfifth_of_a_second_apart(name, write_video):
    frames, source = frames_of(write_video(name, **KINDS[name]))
    first_s = frames[0].time_s
    for frame in frames:
        assert frame.time_s - first_s == pytest.approx(frame.seq / 25, abs=0.0011)
    assert source.info.frame_rate == 25


def test_images_are_contiguous_read_only_bgr(write_video):
    frames, source = frames_of(write_video("a.mp4"))
    for frame in frames:
        assert frame.image.shape == (96, 128, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert not frame.image.flags.writeable
    assert (source.info.width, source.info.height) == (128, 96)


def test_images_stay_as_they_are_when_later_frames_are_read_and_the_source_is_closed(write_video):
    path = write_video("a.mp4")
    with closing(open_source(path)) as source:
        kept = [(frame, frame.image.copy()) for frame in source.frames()]
    assert all(np.array_equal(frame.image, copy) for frame, copy in kept)


def test_variable_frame_rate_keeps_the_timestamps_of_the_container(write_video, read_number):
    times = [0, 1, 2, 50, 51, 300, 1000, 1001, 1003, 5000]
    path = write_video("vfr.mp4", count=10, times=times, time_base=Fraction(1, 1000))
    frames, source = frames_of(path)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(t, 1000) for t in times]
    assert [read_number(frame.image) for frame in frames] == list(range(10))
    assert not source.losses


def test_variable_frame_rate_in_matroska_is_not_taken_for_a_loss(write_video):
    times = [0, 40, 3000, 3040, 9000]
    path = write_video("vfr.mkv", count=5, times=times, time_base=Fraction(1, 1000))
    frames, source = frames_of(path)
    assert [frame.pts for frame in frames] == times
    assert not source.losses


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("angle", [90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_display_matrix_turns_and_mirrors_the_image(container, angle, mirrored, write_video):
    stored = write_video(f"stored.{container}", count=1)
    turned = write_video(f"turned.{container}", count=1, rotation=angle, mirrored=mirrored)
    (before,), _ = frames_of(stored)
    (after,), source = frames_of(turned)
    expected = np.rot90(before.image, angle // 90)
    if mirrored:
        expected = expected[:, ::-1]
    assert np.array_equal(after.image, expected)
    assert (source.info.height, source.info.width) == expected.shape[:2]
    assert after.image.flags.c_contiguous


def test_a_mirror_without_rotation_is_applied(write_video):
    (before,), _ = frames_of(write_video("stored.mp4", count=1))
    (after,), _ = frames_of(write_video("mirrored.mp4", count=1, mirrored=True))
    assert np.array_equal(after.image, before.image[:, ::-1])


@pytest.mark.parametrize("size", [(127, 95), (129, 96), (128, 97), (66, 50)])
@pytest.mark.parametrize("pixels", ["yuv444p", "gray", "bgr0"])
def test_odd_sizes_are_kept(size, pixels, write_video, read_number):
    path = write_video("odd.mkv", codec="ffv1", size=size, pixels=pixels)
    frames, source = frames_of(path)
    assert {frame.image.shape for frame in frames} == {(size[1], size[0], 3)}
    assert all(frame.image.flags.c_contiguous for frame in frames)
    assert [read_number(frame.image) for frame in frames] == list(range(20))
    assert (source.info.width, source.info.height) == size


@pytest.mark.parametrize("codec", ["libvpx-vp9", "ffv1"])
def test_odd_sizes_with_halved_chroma_are_kept(codec, write_video, read_number):
    frames, _ = frames_of(write_video("odd.mkv", codec=codec, size=(127, 95)))
    assert {frame.image.shape for frame in frames} == {(95, 127, 3)}
    assert [read_number(frame.image) for frame in frames] == list(range(20))


@pytest.mark.parametrize(
    ("codec", "pixels", "options"),
    [
        ("libx264", "yuv420p10le", {}),
        ("libx265", "yuv420p10le", QUIET),
        ("libx265", "yuv422p12le", QUIET),
        ("ffv1", "yuv444p16le", {}),
        ("libx264", "gray", {}),
        ("libx264", "gray10le", {}),
        ("ffv1", "gray", {}),
        ("ffv1", "gray16le", {}),
        ("libx264", "yuv422p", {}),
        ("libx264", "yuv444p", {}),
        ("libx264", "nv12", {}),
        ("ffv1", "yuva420p", {}),
        ("ffv1", "bgra", {}),
        ("png", "rgba", {}),
        ("libvpx-vp9", "yuva420p", {"auto-alt-ref": "0"}),
    ],
)
def test_pixel_formats_become_bgr_of_eight_bits(codec, pixels, options, write_video, read_number):
    name = "a.mov" if codec == "png" else "a.mkv"
    path = write_video(name, codec=codec, pixels=pixels, codec_options=options)
    frames, source = frames_of(path)
    assert [read_number(frame.image) for frame in frames] == list(range(20))
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    assert not source.losses


def patch_edit_list(path, *, media_time, segment_ms):
    """Rewrite the only edit of the only track: where it starts, and how long it is."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    data[entry : entry + 4] = segment_ms.to_bytes(4, "big")
    data[entry + 4 : entry + 8] = media_time.to_bytes(4, "big")
    path.write_bytes(data)


def test_an_edit_list_cuts_both_ends_without_a_loss(write_video, read_number):
    path = write_video("edited.mp4", codec_options=B_FRAMES)
    with av.open(str(path)) as container:
        delay = -min(packet.dts for packet in container.demux(video=0) if packet.size)
    patch_edit_list(path, media_time=delay + 5 * 512, segment_ms=400)
    frames, source = frames_of(path)
    assert [read_number(frame.image) for frame in frames] == list(range(5, 15))
    assert [frame.pts for frame in frames] == [512 * i for i in range(10)]
    assert not source.losses


def test_a_delayed_start_keeps_its_time(write_video):
    path = write_video("late.mp4", times=range(50, 70))
    frames, _ = frames_of(path)
    assert frames[0].time_s == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.webm", "a.flv"])
def test_the_frame_count_is_estimated_where_the_container_has_none(name, write_video):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    _, source = frames_of(write_video(name, codec=codec))
    assert source.info.frame_count == pytest.approx(20, abs=2)
    assert source.info.duration_s == pytest.approx(0.8, abs=0.1)


def test_a_raw_stream_has_no_duration(write_video):
    _, source = frames_of(write_video("a.h264"))
    assert source.info.frame_count is None
    assert source.info.duration_s is None


def test_a_change_of_resolution_changes_the_size_of_the_frames(tmp_path, write_video, read_number):
    small = write_video("small.ts", size=(96, 64), count=10)
    large = write_video("large.ts", size=(160, 128), count=10, first_number=10)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames, source = frames_of(both)
    assert [frame.image.shape[:2] for frame in frames] == [(64, 96)] * 10 + [(128, 160)] * 10
    assert [read_number(frame.image) for frame in frames] == list(range(20))
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert (source.info.width, source.info.height) == (96, 64)


def test_a_cover_picture_is_not_taken_for_the_video(tmp_path):
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame(32, 32, "rgb24")
        container.mux(cover.encode(picture))
        for index in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    frames, _ = frames_of(path)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 5


@pytest.mark.parametrize("name", ["clip (1): nord #2.mp4", "été.mp4", "%03d.mp4", "-i.mp4"])
def test_file_names_mean_nothing_but_themselves(name, write_video):
    frames, source = frames_of(write_video(name))
    assert len(frames) == 20
    assert (
        source.info.name
        == {
            "clip (1): nord #2.mp4": "clip-1-nord-2",
            "été.mp4": "été",
            "%03d.mp4": "03d",
            "-i.mp4": "i",
        }[name]
    )


@pytest.mark.skipif(os.name != "posix", reason="file names of other systems are text")
def test_metadata_that_is_not_unicode_does_no_harm(tmp_path, write_video):
    path = write_video("a.avi", codec="mpeg4", container_options={})
    data = path.read_bytes()
    assert b"Lavf" in data
    path.write_bytes(data.replace(b"Lavf", b"\xff\xfe\xe9f"))
    frames, _ = frames_of(path)
    assert len(frames) == 20


@pytest.mark.parametrize("name", ["pedestrians.mp4", "one-by-one-person.mp4"])
def test_frames_equal_those_of_opencv_bit_for_bit(name, shared_data):
    capture = cv2.VideoCapture(str(shared_data / "videos" / name))
    count = 0
    with closing(open_source(shared_data / "videos" / name)) as source:
        for frame in source.frames():
            there, image = capture.read()
            assert there
            assert np.array_equal(frame.image, image)
            count += 1
        assert not source.losses
        assert source.info.frame_count == count
    assert not capture.read()[0]
