"""The frames as H.264 video: sizes, times and colours."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from sightline.errors import OutputError
from sightline.frame import Frame
from sightline.sinks.video import VideoFile
from sightline.stream import StreamInfo


def stream(frame_rate=Fraction(25)):
    return StreamInfo(
        name="x", width=64, height=48, time_base=Fraction(1, 1000), frame_rate=frame_rate
    )


def plain(color, *, width=64, height=48):
    return np.full((height, width, 3), color, np.uint8)


def encode(path, images, *, pts=None, time_base=Fraction(1, 1000), info=None, **options):
    """Write images with a `VideoFile` and give the decoded frames back."""
    sink = VideoFile(path, **options)
    sink.open(info or stream())
    pts = pts or [40 * seq for seq in range(len(images))]
    for seq, (image, time) in enumerate(zip(images, pts, strict=True)):
        sink.write(Frame(image=image, seq=seq, pts=time, time_base=time_base))
    sink.close()
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(frames):
    return [frame.pts * frame.time_base for frame in frames]


def test_it_is_what_browsers_play(tmp_path):
    path = tmp_path / "out.mp4"
    encode(path, [plain(90)] * 3)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert container.format.name.startswith("mov,mp4")
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.codec_context.profile == "High"
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat"), "the index is in front"


@pytest.mark.parametrize(
    "color",
    [
        (0, 0, 0),
        (128, 128, 128),
        (255, 255, 255),
        (0, 0, 255),
        (0, 255, 0),
        (255, 0, 0),
        (40, 90, 200),
    ],
)
def test_colours_come_back_and_say_how_they_are_coded(tmp_path, color):
    (frame,) = encode(tmp_path / "out.mp4", [plain(color)])
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1), "BT.709"
    assert frame.color_range == 1, "limited range"
    decoded = frame.to_ndarray(format="bgr24")
    np.testing.assert_allclose(decoded.reshape(-1, 3), [color] * (64 * 48), atol=5)


def test_gray_images_come_back_gray_over_their_whole_range(tmp_path):
    images = [np.full((48, 64), level, np.uint8) for level in (0, 60, 128, 255)]
    for image, frame in zip(images, encode(tmp_path / "out.mp4", images), strict=True):
        decoded = frame.to_ndarray(format="bgr24").astype(int)
        assert np.abs(decoded - image[..., None]).max() <= 4


def test_the_picture_is_the_picture(tmp_path):
    rows, columns = np.mgrid[:48, :64]
    image = np.stack([rows * 5, columns * 4, 255 - rows * 5], axis=2).astype(np.uint8)
    (frame,) = encode(tmp_path / "out.mp4", [image], crf=10)
    difference = frame.to_ndarray(format="bgr24").astype(int) - image
    assert np.abs(difference).mean() < 3


def test_a_variable_frame_rate_keeps_its_times_counted_from_the_first_frame(tmp_path):
    path = tmp_path / "out.mp4"
    pts = [5000, 5040, 5080, 5500, 5501, 9000]
    frames = encode(path, [plain(seq * 40) for seq in range(6)], pts=pts)
    assert times(frames) == [Fraction(time - 5000, 1000) for time in pts]
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.start_time == 0
        assert video.duration * video.time_base == Fraction(4000 + 40, 1000)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24), Fraction(10), Fraction(60)])
def test_usual_frame_rates_are_exact(tmp_path, rate):
    frames = encode(
        tmp_path / "out.mp4",
        [plain(0)] * 5,
        pts=list(range(5)),
        time_base=1 / rate,
        info=stream(rate),
    )
    assert times(frames) == [seq / rate for seq in range(5)]


@pytest.mark.parametrize("frame_rate", [None, Fraction(797_000_001, 79_534_511)])
def test_unknown_and_odd_frame_rates_and_fine_clocks_do_no_harm(tmp_path, frame_rate):
    frames = encode(
        tmp_path / "out.mp4",
        [plain(0)] * 3,
        pts=[0, 10**9, 10**9 + 1],
        time_base=Fraction(1, 10**9),
        info=stream(frame_rate),
    )
    assert times(frames) == [0, 1, 1 + Fraction(1, 90_000)]


def test_times_that_do_not_increase_are_moved_behind_the_frame_before(tmp_path):
    frames = encode(tmp_path / "out.mp4", [plain(0)] * 4, pts=[100, 100, 20, 140])
    ticks = [time * 90_000 for time in times(frames)]
    assert ticks == [0, 1, 2, 3600]


@pytest.mark.parametrize(("width", "height"), [(63, 47), (1, 1), (64, 47), (33, 48)])
def test_odd_sizes_are_padded_by_repeating_the_edge(tmp_path, width, height):
    image = plain((40, 90, 200), width=width, height=height)
    (frame,) = encode(tmp_path / "out.mp4", [image])
    assert (frame.width, frame.height) == (width + width % 2, height + height % 2)
    decoded = frame.to_ndarray(format="bgr24")
    np.testing.assert_allclose(decoded[-1, -1], (40, 90, 200), atol=5)


def test_images_of_another_size_are_scaled_to_the_first(tmp_path):
    images = [plain(0, width=63), plain(200, width=128, height=200), plain(90, width=10)]
    frames = encode(tmp_path / "out.mp4", images)
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    dark, bright, middle = (frame.to_ndarray(format="gray").mean() for frame in frames)
    assert dark < middle < bright


def test_images_in_any_memory_layout_are_taken(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)[::-2, ::2, ::-1]
    (frame,) = encode(tmp_path / "out.mp4", [image], crf=1)
    difference = frame.to_ndarray(format="gray").astype(int) - image.mean(axis=2)
    assert np.abs(difference.mean()) < 12


def test_without_frames_an_older_video_of_the_same_name_is_gone(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_text("from another run")
    sink = VideoFile(path)
    sink.open(stream())
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_that_cannot_be_removed_is_an_error(tmp_path):
    path = tmp_path / "out.mp4"
    sink = VideoFile(path)
    sink.open(stream())
    path.mkdir()
    with pytest.raises(OutputError, match=r"out\.mp4"):
        sink.close()


@pytest.mark.parametrize("options", [{"crf": 0}, {"crf": 52}, {"preset": "rapid"}, {"threads": -1}])
def test_options_out_of_range_are_refused_at_once(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        VideoFile(tmp_path / "out.mp4", **options)


def test_options_reach_the_encoder(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    encode(tmp_path / "good.mp4", [image] * 3, crf=5, preset="ultrafast", threads=0)
    encode(tmp_path / "small.mp4", [image] * 3, crf=50)
    good, small = (tmp_path / name for name in ("good.mp4", "small.mp4"))
    assert good.stat().st_size > 3 * small.stat().st_size


def test_nothing_is_logged_or_printed(tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        encode(tmp_path / "out.mp4", [plain(0)] * 3)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
