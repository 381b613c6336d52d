"""Copies of videos that browsers play: the same pictures at the same times."""

import base64
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest
from tests.browser_fixtures import browser

from sightline.errors import MediaError, OutputError
from sightline.jobs.preview import make_preview, playback_start_s
from sightline.jobs.sniff import source_options
from sightline.media.files import open_file

__all__ = ["browser"]

TIMES_MS = [0, 40, 80, 200, 240, 280, 320, 1000, 1040, 1080, 1120, 1160, 1500, 1540]
"""Neither from 0 on nor at one rate, once moved."""


def write_video(
    path,
    *,
    codec="libx264",
    start_ms=0,
    times_ms=TIMES_MS,
    size=(160, 120),
    pixels="yuv420p",
    turned=0,
    **options,
):
    """Write pictures that become brighter, at `times_ms`; the upper half is black."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        if turned:
            stream.set_display_rotation(turned)
        for number, time_ms in enumerate(times_ms):
            image = np.zeros((size[1], size[0], 3), np.uint8)
            image[size[1] // 2 :] = 20 + 15 * number
            picture = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format=pixels)
            picture.pts, picture.time_base = start_ms + time_ms, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def never():
    return False


def preview_of(video, *, stop=never, **span):
    preview = video.with_name("preview.mp4")
    start_s = make_preview(video, preview, options=source_options(video, **span), stop=stop)
    return preview, start_s


def pictures_of(path, **span):
    """Give the time and mean brightness of every frame."""
    with closing(open_file(path, options=source_options(path, **span))) as source:
        return [(frame.time_s, frame.image.mean()) for frame in source.frames()]


def is_as_browsers_like_it(path):
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        head = path.read_bytes()
        assert head.index(b"moov") < head.index(b"mdat")
        return codec.name == "h264" and codec.pix_fmt == "yuv420p"


EVEN = {"times_ms": [round(number * 1001 / 30) for number in range(14)]}
ORDERED = {"bf": "0"}
COPIED = {
    "matroska": ("video.mkv", EVEN),
    "matroska from 2.5 s on": ("video.mkv", {"start_ms": 2500, **EVEN}),
    "matroska, uneven": ("video.mkv", ORDERED),
    "transport stream": ("video.ts", EVEN),
    "transport stream from an hour on, uneven": ("video.ts", {"start_ms": 3_600_000, **ORDERED}),
}
CASES = {
    **COPIED,
    "uneven with B-frames": ("video.mkv", {"start_ms": 1500}),
    "4:4:4": ("video.mkv", {"pixels": "yuv444p"}),
    "MPEG-4 Visual": ("video.mkv", {"codec": "mpeg4"}),
    "VP9 from 2.5 s on": ("video.mkv", {"codec": "libvpx-vp9", "start_ms": 2500}),
    "HEVC": ("video.mp4", {"codec": "libx265"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_preview_shows_every_picture_at_its_time(tmp_path, case):
    name, options = CASES[case]
    video = write_video(tmp_path / name, **options)
    preview, start_s = preview_of(video)
    expected, shown = pictures_of(video), pictures_of(preview)
    assert is_as_browsers_like_it(preview)
    assert [time_s + start_s for time_s, _ in shown] == pytest.approx(
        [time_s for time_s, _ in expected], abs=0.001
    )
    assert shown[0][0] == playback_start_s(preview, options=source_options(preview)) == 0.0
    brightness = [mean for _, mean in expected]
    assert [mean for _, mean in shown] == pytest.approx(brightness, abs=3)
    if case in COPIED:
        assert [mean for _, mean in shown] == brightness
    assert {path.name for path in tmp_path.iterdir()} == {name, "preview.mp4"}


def test_what_avi_says_of_times_is_not_relied_on(tmp_path):
    video = write_video(tmp_path / "video.avi", bf="0")
    preview, start_s = preview_of(video)
    times = [time_s for time_s, _ in pictures_of(video)]
    assert [time_s + start_s for time_s, _ in pictures_of(preview)] == pytest.approx(
        times, abs=0.001
    )


def test_a_transport_stream_that_begins_within_a_group_is_shown_from_its_key_frame(tmp_path):
    video = write_video(tmp_path / "whole.ts")
    with av.open(str(video)) as container:
        places = [p.pos for p in container.demux(video=0) if p.size]
    cut = tmp_path / "video.ts"
    cut.write_bytes(video.read_bytes()[places[2] // 188 * 188 :])
    with closing(open_file(cut, options=source_options(cut))) as source:
        times = [frame.time_s for frame in source.frames()]
    preview, start_s = preview_of(cut)
    assert 0 < len(times) < len(TIMES_MS)
    assert [time_s + start_s for time_s, _ in pictures_of(preview)] == pytest.approx(
        times, abs=0.001
    )


def test_a_large_video_becomes_smaller_and_keeps_its_shape(tmp_path):
    video = write_video(tmp_path / "video.mkv", codec="mpeg4", size=(1920, 1080))
    preview, _ = preview_of(video)
    with av.open(str(preview)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (1280, 720)


def test_only_the_part_of_the_job_is_encoded(tmp_path):
    video = write_video(tmp_path / "video.mkv", codec="mpeg4", start_ms=500)
    preview, start_s = preview_of(video, start_s=0.2, end_s=1.1)
    assert start_s == 0.7
    expected = [time_s for time_s, _ in pictures_of(video, start_s=0.2, end_s=1.1)]
    assert [time_s + start_s for time_s, _ in pictures_of(preview)] == pytest.approx(
        expected, abs=0.001
    )


@pytest.mark.parametrize("name", ["video.mkv", "video.mp4"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("turned", [90, 180])
def test_a_video_that_was_taken_sideways_is_upright(tmp_path, name, codec, turned):
    video = write_video(tmp_path / name, codec=codec, turned=turned)
    preview, _ = preview_of(video)
    with (
        closing(open_file(video, options=source_options(video))) as one,
        closing(open_file(preview, options=source_options(preview))) as other,
    ):
        expected, shown = next(one.frames()).image, next(other.frames()).image
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("after", [0, 5])
def test_giving_up_leaves_nothing(tmp_path, codec, after):
    video = write_video(tmp_path / "video.mkv", codec=codec)
    calls = iter(range(100))
    preview, start_s = preview_of(video, stop=lambda: next(calls) >= after)
    assert start_s is None
    assert not preview.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"video.mkv"}


def test_a_preview_that_cannot_be_written_is_an_error(tmp_path):
    video = write_video(tmp_path / "video.mkv", codec="mpeg4")
    options = source_options(video)
    with pytest.raises(OutputError):
        make_preview(video, tmp_path / "video.mkv" / "p.mp4", options=options, stop=never)


def test_a_video_that_cannot_be_read_is_an_error(tmp_path):
    video = write_video(tmp_path / "video.mkv", codec="mpeg4")
    options = source_options(video)
    video.write_bytes(video.read_bytes()[:200])
    with pytest.raises(MediaError):
        make_preview(video, tmp_path / "preview.mp4", options=options, stop=never)
    assert {path.name for path in tmp_path.iterdir()} == {"video.mkv"}


def test_the_clock_of_a_player_counts_from_where_the_video_begins(tmp_path):
    video = write_video(tmp_path / "video.ts", start_ms=5000)
    first_s = pictures_of(video)[0][0]
    assert playback_start_s(video, options=source_options(video)) == pytest.approx(
        first_s, abs=1e-3
    )


SEEN = """
async ([content, times]) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const video = document.createElement("video");
  video.src = URL.createObjectURL(new Blob([bytes], {type: "video/mp4"}));
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(video.error.message);
  });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const seen = [0];
  for (const time of times) {
    video.currentTime = time;
    await new Promise((done) => { video.onseeked = done; });
    let gray = seen.at(-1);  // until the picture has arrived; each is brighter there than the last
    for (let tries = 0; gray === seen.at(-1) && tries < 100; tries++) {
      await new Promise(requestAnimationFrame);
      context.drawImage(video, 0, 0);
      gray = context.getImageData(80, 100, 1, 1).data[0];
    }
    seen.push(gray);
  }
  return seen.slice(1);
}
"""
"""What Chromium shows when it is sent to these times."""


@pytest.mark.parametrize("case", ["uneven with B-frames", *COPIED])
def test_a_browser_shows_the_picture_of_each_time(tmp_path, browser, case):
    name, options = CASES[case]
    video = write_video(tmp_path / name, **options)
    preview, start_s = preview_of(video)
    expected = pictures_of(video)
    times = [round(time_s - start_s + 0.01, 3) for time_s, _ in expected]
    content = base64.b64encode(preview.read_bytes()).decode()
    page = browser.new_page()
    seen = page.evaluate(SEEN, [content, times])
    page.close()
    assert seen == pytest.approx([2 * mean for _, mean in expected], abs=6)
