"""Spans of real files: read one by one, they are the frames of a read of the whole."""

from __future__ import annotations

import hashlib
from contextlib import closing

import av
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.jobs.chunking import ChunkSizes, plan_spans
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions
from sightline.media.section import Section
from sightline.media.sections import open_section


def x264(params: str) -> dict[str, str]:
    return {"codec_options": {"x264-params": params, "preset": "medium"}}


def x265(params: str) -> dict[str, object]:
    options = {"x265-params": f"log-level=none:{params}", "preset": "fast"}
    return {"codec": "libx265", "codec_options": options}


CLOSED = x264("keyint=20:min-keyint=20:bframes=3:scenecut=0:b-pyramid=normal:ref=4:weightp=2")
OPEN = x264("keyint=20:min-keyint=20:bframes=3:scenecut=0:open-gop=1:b-pyramid=normal:ref=4")
INTRA_REFRESH = x264("keyint=20:intra-refresh=1:bframes=0")
VFR = [0, 1, 2, 5, 9, 10, 11, 20, 21, 40]

DIVIDED = {
    "closed.mp4": CLOSED,
    "open.mp4": OPEN,
    "open-adaptive.mp4": x264("keyint=15:bframes=8:open-gop=1:b-adapt=2:ref=8:direct=auto"),
    "strict.mp4": x264("keyint=15:bframes=5:open-gop=1:b-pyramid=strict:ref=6:bframe-bias=100"),
    "no-delay.mp4": x264("keyint=10:bframes=0"),
    "fragmented.mp4": {**OPEN, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "one-key.mp4": x264("keyint=999:bframes=3"),
    "all-intra.mp4": x264("keyint=1"),
    "annexb.ts": OPEN,
    "closed.ts": CLOSED,
    "open.mkv": OPEN,
    "open.mov": OPEN,
    "open.flv": OPEN,
    "interlaced.mp4": x264("keyint=20:bframes=2:tff=1"),
    "rotated.mp4": {**OPEN, "rotation": 90},
    "odd.mp4": {"size": (161, 91), "pixels": "yuv444p", **CLOSED},
    "vfr.mp4": {**OPEN, "count": 80, "times": [t + 50 * k for k in range(8) for t in VFR]},
    "vfr.mkv": {**OPEN, "count": 80, "times": [t + 50 * k for k in range(8) for t in VFR]},
    "hevc.mp4": x265("keyint=20:min-keyint=20:bframes=3:open-gop=0"),
    "hevc-open.mp4": x265("keyint=20:min-keyint=10:bframes=4:open-gop=1:b-pyramid=1"),
    "hevc-open.mkv": x265("keyint=20:min-keyint=10:bframes=4:open-gop=1"),
    "hevc-open.ts": x265("keyint=20:min-keyint=10:bframes=4:open-gop=1"),
    "vp8.webm": {"codec": "libvpx", "codec_options": {"g": "20", "deadline": "realtime"}},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": {"g": "20", "deadline": "realtime"}},
    "vp9-alt-ref.webm": {
        "codec": "libvpx-vp9",
        "codec_options": {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5"},
    },
    "vp8-alt-ref.webm": {
        "codec": "libvpx",
        "codec_options": {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"},
    },
    "av1.webm": {"codec": "libsvtav1", "codec_options": {"g": "20", "preset": "10"}},
    "av1.mp4": {"codec": "libsvtav1", "codec_options": {"g": "20", "preset": "10"}},
    "mjpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "prores.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "mpeg4.mp4": {"codec": "mpeg4", "codec_options": {"g": "20", "bf": "2"}},
    "mpeg4.mkv": {"codec": "mpeg4", "codec_options": {"g": "20", "bf": "2"}},
    "mpeg2.ts": {"codec": "mpeg2video", "codec_options": {"g": "20", "bf": "2"}},
    "mpeg2.mkv": {"codec": "mpeg2video", "codec_options": {"g": "20", "bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
}
WITHOUT_ENTRY_POINTS = {
    "intra-refresh.mp4": INTRA_REFRESH,
    "intra-refresh.ts": INTRA_REFRESH,
    "wmv.wmv": {"codec": "wmv2", "codec_options": {"g": "20"}},
    "ffv1.mkv": {"codec": "ffv1"},
}
UNDIVIDED = {
    "mpeg4.avi": {"codec": "mpeg4", "codec_options": {"g": "20", "bf": "2"}},
    "h264.avi": OPEN,
    "raw.h264": OPEN,
    "mpeg2.mpg": {"codec": "mpeg2video", "codec_options": {"g": "20", "bf": "2"}},
}
SIZES = [
    ChunkSizes(workers=2),
    ChunkSizes(workers=5, target_s=0.7),
    ChunkSizes(workers=1, target_s=1.3),
]


def digest(source):
    """Timestamps and digests of all frames, and the losses."""
    with closing(source):
        frames = [
            (frame.pts, frame.image.shape, hashlib.sha256(frame.image).hexdigest())
            for frame in source.frames()
        ]
        return frames, source.losses


def read(path, **options):
    return digest(open_source(path, options=SourceOptions(**options)))


def read_spans(path, spans):
    """Frames of one span after the other, and the losses of each."""
    frames, losses = [], []
    for span in spans:
        section = Section(begin_pts=span.begin_pts, end_pts=span.end_pts, entry_pts=span.seek_pts)
        part, lost = digest(open_section(path, section, options=SourceOptions()))
        if span.frames is not None and not lost:
            assert len(part) == span.frames
        frames += part
        losses.append(lost)
    return frames, losses


@pytest.mark.parametrize("name", DIVIDED)
def test_spans_together_are_the_whole_video_pixel_by_pixel(name, write_video):
    path = write_video(name, **DIVIDED[name])
    whole, lost = read(path)
    assert not lost
    for sizes in SIZES:
        spans = plan_spans(path, sizes=sizes)
        assert len(spans) > 1
        frames, losses = read_spans(path, spans)
        assert frames == whole
        assert not any(losses)


@pytest.mark.parametrize("name", WITHOUT_ENTRY_POINTS)
def test_without_entry_points_a_short_video_is_halved_and_decoded_from_its_beginning(
    name, write_video
):
    path = write_video(name, **WITHOUT_ENTRY_POINTS[name])
    spans = plan_spans(path)
    assert len(spans) == 2
    assert spans[1].seek_pts in (None, read(path)[0][0][0])
    assert read_spans(path, spans)[0] == read(path)[0]


@pytest.mark.parametrize("name", UNDIVIDED)
def test_a_video_is_not_divided_where_its_timestamps_are_not_certain(name, write_video):
    path = write_video(name, **UNDIVIDED[name])
    (span,) = plan_spans(path)
    assert (span.begin_pts, span.end_pts, span.seek_pts) == (None, None, None)
    assert read_spans(path, [span])[0] == read(path)[0]


@pytest.mark.parametrize("name", ["open.mp4", "closed.ts", "vfr.mkv", "one-key.mp4", "mpeg4.avi"])
def test_spans_of_a_range_have_the_frames_of_the_same_range_inline(name, write_video):
    path = write_video(name, **{**DIVIDED, **UNDIVIDED}[name])
    for start_s, end_s in [(0, 1.0), (0.5, None), (0.81, 2.43), (1.0, 99.0), (3.5, 3.7)]:
        inline, _ = read(path, start_s=start_s, end_s=end_s)
        spans = plan_spans(path, start_s=start_s, end_s=end_s)
        if len(spans) == 1:
            assert spans[0].begin_pts is spans[0].end_pts is None
            assert spans[0].frames in (len(inline), None)
        else:
            assert read_spans(path, spans)[0] == inline


def test_a_range_without_frames_is_refused(write_video):
    path = write_video("a.mp4", count=30, **OPEN)
    with pytest.raises(MediaError, match="it has no frame between 7 s and 9 s"):
        plan_spans(path, start_s=7, end_s=9)


DAMAGED = ["closed.mp4", "open.mp4", "open.mkv", "annexb.ts", "hevc-open.mp4"]


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("seed", range(3))
def test_spans_of_a_damaged_video_have_frames_of_their_own_and_say_what_is_lost(
    name, seed, write_video
):
    path = write_video(name, **DIVIDED[name])
    intact, _ = read(path)
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for _ in range(3):
        length = int(random.integers(20, 400))
        start = int(random.integers(len(content) // 4, len(content) * 3 // 4))
        content[start : start + length] = random.bytes(length)
    path.write_bytes(content)
    frames, losses = read_spans(path, plan_spans(path, sizes=SIZES[1]))
    times = [pts for pts, _, _ in frames]
    assert times == sorted(set(times))
    assert set(times) <= {pts for pts, _, _ in intact}
    _, lost = read(path)
    assert any(losses) == bool(lost)


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("nth", [40, 41, 44])
def test_damage_changes_no_frame_of_another_group_of_pictures(name, nth, write_video):
    path = write_video(name, **DIVIDED[name])
    intact, _ = read(path)
    spans = plan_spans(path, sizes=SIZES[1])
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    begin = packets[nth].pos + packets[nth].size // 3
    content[begin : begin + 50] = np.random.default_rng(nth).bytes(50)
    path.write_bytes(content)
    frames, _ = read_spans(path, spans)
    assert frames != intact
    assert frames[:35] == intact[:35]
    assert frames[-29:] == intact[-29:]
    assert [pts for pts, _, _ in frames] == [pts for pts, _, _ in read(path)[0]]


@pytest.mark.parametrize("hidden", [10, 21, 37])
def test_frames_that_an_edit_list_hides_belong_to_no_span(hidden, write_video, tmp_path):
    path = tmp_path / "edited.mp4"
    with (
        av.open(str(write_video("whole.mp4", **OPEN))) as whole,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as edited,
    ):
        stream = edited.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.pts -= hidden * 512
                packet.dts -= hidden * 512
                packet.stream = stream
                edited.mux(packet)
    frames, _ = read(path)
    assert len(frames) == 90 - hidden
    spans = plan_spans(path, sizes=SIZES[1])
    assert len(spans) > 2
    assert sum(span.frames for span in spans) == 90 - hidden
    assert read_spans(path, spans)[0] == frames


@pytest.mark.parametrize("name", ["pedestrians.mp4", "one-by-one-person.mp4"])
def test_spans_of_real_videos_are_the_whole(name, shared_data):
    path = shared_data / "videos" / name
    spans = plan_spans(path, sizes=ChunkSizes(workers=4))
    assert len(spans) > 8
    frames, losses = read_spans(path, spans)
    assert frames == read(path)[0]
    assert not any(losses)
    ranged = plan_spans(path, start_s=7.3, end_s=31.9)
    assert read_spans(path, ranged)[0] == read(path, start_s=7.3, end_s=31.9)[0]


def test_the_end_of_a_truncated_video_is_a_loss_of_its_last_span(write_video):
    path = write_video("a.mkv", **OPEN)
    path.write_bytes(path.read_bytes()[:-3000])
    whole, lost = read(path)
    frames, losses = read_spans(path, plan_spans(path, sizes=SIZES[1]))
    assert frames == whole
    assert [part.truncated for part in losses] == [False] * (len(losses) - 1) + [True]
    assert lost.truncated
