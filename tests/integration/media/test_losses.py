"""Damaged and truncated files: what can be decoded is delivered, what cannot is counted."""

from __future__ import annotations

from contextlib import closing

import av
import pytest

from sightline.media.opening import open_source

B_FRAMES = {"x264-params": "bframes=3:b-adapt=0:keyint=8"}
QUIET = {"x265-params": "log-level=none:bframes=3:keyint=8"}
VP9 = {"deadline": "realtime", "cpu-used": "8", "g": "8"}


def read(path):
    with closing(open_source(path)) as source:
        return list(source.frames()), source.losses


def packets(path):
    """Position and size of every packet of a video."""
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(video=0) if p.size]


def overwrite_packet(path, index, *, keep=4):
    """Replace what a packet holds by nonsense, but for the first bytes (a length in MP4)."""
    position, size = packets(path)[index]
    data = bytearray(path.read_bytes())
    data[position + keep : position + size] = b"\xff" * (size - keep)
    path.write_bytes(data)


def flip_bytes(path, *, first, step):
    data = bytearray(path.read_bytes())
    for position in range(first, len(data) * 9 // 10, step):
        data[position] ^= 0x55
    path.write_bytes(data)


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.mp4", {"codec_options": B_FRAMES}),
        ("a.mkv", {"codec_options": B_FRAMES}),
        ("h.mp4", {"codec": "libx265", "codec_options": QUIET}),
        ("h.mkv", {"codec": "libx265", "codec_options": QUIET}),
        ("v.mkv", {"codec": "libvpx-vp9", "codec_options": VP9}),
        ("m.mkv", {"codec": "mjpeg", "pixels": "yuvj420p"}),
    ],
)
@pytest.mark.parametrize("index", [3, 8, 19])
def test_a_spoilt_packet_is_counted_and_the_other_frames_come(name, recipe, index, write_video):
    path = write_video(name, **recipe)
    overwrite_packet(path, index)
    frames, losses = read(path)
    assert 12 <= len(frames) <= 20
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    assert losses
    assert losses.corrupt_packets + losses.corrupt_frames >= 1
    assert not losses.truncated
    assert all("damage" in text or "could not be decoded" in text for text in losses.messages)


def test_frames_that_the_decoder_silently_skips_are_counted(write_video):
    path = write_video("h.mp4", codec="libx265", codec_options=QUIET)
    overwrite_packet(path, 1)
    frames, losses = read(path)
    assert len(frames) < 20
    assert losses.corrupt_frames >= 20 - len(frames)
    assert any("could not be decoded (first at 0." in text for text in losses.messages)


def test_damage_all_over_a_file_is_counted(write_video):
    path = write_video("a.mp4", codec_options=B_FRAMES, container_options={"movflags": "faststart"})
    flip_bytes(path, first=3000, step=997)
    frames, losses = read(path)
    assert frames
    assert losses.corrupt_frames > 5


def test_lost_packets_of_a_transport_stream_are_counted(write_video):
    path = write_video("a.ts")
    data = path.read_bytes()
    middle = len(data) // 188 // 2 * 188
    path.write_bytes(data[:middle] + data[middle + 10 * 188 :])
    frames, losses = read(path)
    assert 10 <= len(frames) <= 20
    assert losses.corrupt_packets >= 1
    assert not losses.truncated


@pytest.mark.parametrize("share", [0.35, 0.6, 0.97])
@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.mp4", {"container_options": {"movflags": "faststart"}}),
        ("frag.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
        ("a.mkv", {}),
        ("sound.mkv", {"audio_s": 2.0}),
        ("v.webm", {"codec": "libvpx-vp9", "codec_options": VP9}),
        ("a.ts", {}),
        ("m.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
        ("h.avi", {}),
        ("a.flv", {}),
    ],
)
def test_a_truncated_file_yields_the_decodable_frames_and_reports_the_loss(
    name, recipe, share, write_video, read_number
):
    path = write_video(name, **{"codec_options": {"x264-params": "keyint=5:bframes=0"}, **recipe})
    cut(path, share)
    if path.stat().st_size % 188 == 0 and name.endswith(".ts"):
        pytest.skip("cut between two packets, which nothing shows")
    frames, losses = read(path)
    whole = [read_number(frame.image) for frame in frames[:-1]]
    assert whole == list(range(len(whole)))
    assert losses.truncated
    assert "the file is truncated" in losses.messages[-1]
    assert "bytes are missing" in losses.messages[-1]


def test_a_file_that_is_truncated_by_one_byte_is_reported(write_video):
    for name in ("a.mkv", "a.ts", "a.avi", "a.flv", "f.mp4"):
        movflags = {"movflags": "faststart"} if name.endswith("mp4") else {}
        path = write_video(name, container_options=movflags)
        path.write_bytes(path.read_bytes()[:-1])
        _, losses = read(path)
        assert losses.truncated, name


def test_bytes_appended_to_a_whole_file_are_not_a_loss(write_video):
    path = write_video("a.mp4")
    path.write_bytes(path.read_bytes() + b"appended by a camera: 2024-05-01 12:00:00\n" * 9)
    frames, losses = read(path)
    assert len(frames) == 20
    assert not losses


def test_a_matroska_file_whose_middle_cannot_be_read_is_reported(write_video):
    path = write_video("a.mkv", count=100, codec_options={"x264-params": "keyint=10"})
    data = bytearray(path.read_bytes())
    start = len(data) // 2
    data[start:-200] = bytes(len(data) - 200 - start)
    path.write_bytes(data)
    frames, losses = read(path)
    assert 20 < len(frames) < 80
    assert losses.truncated
    assert "the stream ended at" in losses.messages[-1]


def test_the_object_that_counts_losses_stays_the_same(write_video):
    path = write_video("a.mkv")
    cut(path, 0.6)
    with closing(open_source(path)) as source:
        losses = source.losses
        assert not losses
        for _ in source.frames():
            pass
        assert source.losses is losses
        assert losses
