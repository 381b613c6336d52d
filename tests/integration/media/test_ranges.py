"""A part of a recorded video: exactly the frames between two times, from any container."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

OPEN_GOP = {"x264-params": "bframes=3:keyint=12:open-gop=1"}
HEVC = {"x265-params": "log-level=none:bframes=3:keyint=12:open-gop=1"}

KINDS = {
    "a.mp4": {"codec_options": OPEN_GOP},
    "fragmented.mp4": {
        "codec_options": OPEN_GOP,
        "container_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "hevc.mp4": {"codec": "libx265", "codec_options": HEVC},
    "a.mkv": {"codec_options": OPEN_GOP},
    "a.ts": {"codec_options": OPEN_GOP},
    "a.flv": {"codec_options": OPEN_GOP},
    "a.avi": {"codec_options": OPEN_GOP},
    "mpeg4.avi": {"codec": "mpeg4", "codec_options": {"bf": "2", "g": "12"}},
    "a.mpg": {"codec": "mpeg2video", "codec_options": {"bf": "2", "b": "2M"}},
    "a.webm": {"codec": "libvpx-vp9", "codec_options": {"g": "12", "deadline": "realtime"}},
    "a.wmv": {"codec": "wmv2", "codec_options": {"g": "12", "b": "2M"}},
    "a.h264": {"codec_options": OPEN_GOP},
}
COUNT = 60


def read(path, **options):
    with closing(open_source(path, options=SourceOptions(**options))) as source:
        return list(source.frames()), source


@pytest.mark.parametrize("name", KINDS)
def test_ranges_hold_exactly_the_frames_of_a_full_read(name, write_video):
    path = write_video(name, count=COUNT, **KINDS[name])
    full, _ = read(path)
    first_s = full[0].time_s
    for start, end in [(0, 60), (0, 7), (1, 13), (11, 12), (12, 25), (13, 60), (37, 52), (59, 60)]:
        # Half a frame early, so that rounding decides nothing.
        bounds = {"start_s": max(0, (start - 0.5) / 25), "end_s": (end - 0.5) / 25}
        frames, source = read(path, **bounds)
        wanted = [f for f in full if bounds["start_s"] <= f.time_s - first_s < bounds["end_s"]]
        assert [frame.pts for frame in frames] == [frame.pts for frame in wanted]
        assert [frame.seq for frame in frames] == list(range(len(wanted)))
        for frame, same in zip(frames, wanted, strict=True):
            assert np.array_equal(frame.image, same.image)
        assert not source.losses


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_chunks_put_together_are_the_whole(name, write_video, read_number):
    path = write_video(name, count=COUNT, **KINDS[name])
    cuts = [0.0, 0.3, 0.301, 1.0, 1.77, 9.0]
    numbers = []
    for start_s, end_s in pairwise(cuts):
        try:
            frames, _ = read(path, start_s=start_s, end_s=end_s)
        except MediaError:
            continue  # a chunk may be shorter than a frame
        numbers += [read_number(frame.image) for frame in frames]
    assert numbers == list(range(COUNT))


def test_expectations_are_those_of_the_range(write_video):
    path = write_video("a.mp4", count=COUNT)
    _, source = read(path, start_s=0.4, end_s=1.2)
    assert source.info.frame_count == 20
    assert source.info.duration_s == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("end_s", "said"),
    [(6, "between 5 s and 6 s"), (1e7, "between 5 s and 10000000 s"), (None, "at 5 s or later")],
)
def test_a_range_after_the_end_is_refused(write_video, end_s, said):
    path = write_video("a.mp4", count=10)
    with pytest.raises(MediaError, match=f"a.mp4: it has no frame {said}$"):
        open_source(path, options=SourceOptions(start_s=5, end_s=end_s))


def test_what_is_cut_off_after_the_range_is_not_a_loss(write_video):
    path = write_video("a.mkv", count=COUNT)
    path.write_bytes(path.read_bytes()[:-3000])
    frames, source = read(path, end_s=0.4)
    assert len(frames) == 10
    assert not source.losses
