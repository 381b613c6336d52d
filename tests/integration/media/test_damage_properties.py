"""Whatever is done to a file: an error, or frames and an account of the losses; never a crash."""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import MediaError
from sightline.media.mp4_boxes import top_level_boxes
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

SMALL = {"count": 12, "size": (64, 48), "codec_options": {"x264-params": "keyint=4:bframes=2"}}
VIDEOS = {
    "a.mp4": {**SMALL, "container_options": {"movflags": "faststart"}},
    "fragmented.mp4": {**SMALL, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "a.mkv": SMALL,
    "a.ts": SMALL,
    "a.avi": {**SMALL, "codec": "mpeg4", "codec_options": {}},
}
OPTIONS = SourceOptions(max_pixels=1_000_000)
PROPERTY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Whole:
    """A video before anything is done to it."""

    def __init__(self, path):
        self.path = path
        self.content = path.read_bytes()


@pytest.fixture(params=VIDEOS)
def video(request, write_video):
    path = write_video(request.param, **VIDEOS[request.param])
    return Whole(path)


def read(path: Path):
    """Read a file; the frames and the losses, or None if it is refused."""
    before = open_files()
    try:
        with closing(open_source(path, options=OPTIONS)) as source:
            frames = list(source.frames())
            losses = source.losses
    except MediaError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert open_files() == before
    if refusal:
        assert "\n" not in refusal
        assert path.name in refusal
        return None
    assert frames
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert bool(losses) == bool(losses.messages)
    return frames, losses


def open_files():
    """Count the files that this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@PROPERTY
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_or_its_loss_is_reported(video, share):
    length = int(len(video.content) * share)
    video.path.write_bytes(video.content[:length])
    result = read(video.path)
    if result is not None and not cut_at_a_seam(video, length):
        frames, losses = result
        assert len(frames) <= 12
        assert losses or len(frames) == 12


def cut_at_a_seam(video, length):
    """Whether a file is cut between two parts that mean something alone, so that nothing shows."""
    if video.path.suffix == ".ts":
        return length % 188 == 0
    if video.path.name != "fragmented.mp4":
        return False
    boxes = top_level_boxes(BytesIO(video.content), len(video.content))
    return any(0 <= length - box.end < 8 for box in boxes)


@PROPERTY
@given(data=st.data())
def test_a_file_with_spoilt_bytes_is_refused_or_read(video, data):
    spoilt = bytearray(video.content)
    places = st.integers(0, len(spoilt) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=30)):
        spoilt[place] = data.draw(st.integers(0, 255))
    video.path.write_bytes(spoilt)
    read(video.path)


@PROPERTY
@given(junk=st.binary(max_size=3000), suffix=st.sampled_from(["mp4", "mkv", "ts", "avi", "h264"]))
def test_any_bytes_are_refused_or_read(junk, suffix, tmp_path):
    path = tmp_path / f"junk.{suffix}"
    path.write_bytes(junk)
    read(path)
