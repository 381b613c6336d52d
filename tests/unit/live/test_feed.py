"""A feed counts every frame, and copies one only if a viewer stands ready for it."""

import cv2
import numpy as np
import pytest

from sightline.frame import Frame
from sightline.live.feed import Feed
from sightline.live.pictures import PictureSettings
from sightline.stream import StreamInfo


def put_at_rate(feed, make_frame, per_second, seconds):
    """Put frames while a viewer always wants the next; count the pictures taken."""
    for seq in range(per_second * seconds):
        feed.want()
        feed.put(make_frame(seq), seq / per_second)
    return feed.number


def test_frames_that_nobody_wants_are_counted_and_not_copied(feed, make_frame):
    for seq in range(100):
        feed.put(make_frame(seq), seq / 50)
    assert feed.number == 0
    assert feed.newest() == (0, b"")
    assert feed.describe(99 / 50 + 0.0125) == {
        "id": 0,
        "name": "gate",
        "width": 64,
        "height": 48,
        "frames": 100,
        "rate": 50.0,
        "age_ms": 12.5,
        "viewers": 0,
    }


def test_one_wish_gets_one_picture(feed, make_frame):
    feed.want()
    for seq in range(10):
        feed.put(make_frame(seq), float(seq))
    assert feed.number == 1


def test_the_picture_is_of_the_frame_that_came_next_although_its_memory_is_used_again(feed):
    memory = np.full((48, 64, 3), 50, np.uint8)
    feed.want()
    feed.put(Frame(image=memory, seq=0, pts=0), 0.0)
    memory[:] = 200
    number, jpeg = feed.newest()
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert number == 1
    assert abs(int(shown.max()) - 50) <= 2


def test_a_picture_is_encoded_once_for_all_viewers(feed, make_frame):
    feed.want()
    feed.put(make_frame(0), 0.0)
    assert feed.newest()[1] is feed.newest()[1]


@pytest.mark.parametrize(("rate", "shown"), [(10, 10), (25, 25), (30, 25), (60, 25), (1000, 25)])
def test_pictures_are_taken_at_the_rate_of_the_stream_up_to_25_per_second(
    feed, make_frame, rate, shown
):
    assert put_at_rate(feed, make_frame, rate, 4) == pytest.approx(shown * 4, abs=4)


def test_after_a_pause_pictures_do_not_come_in_a_burst(feed, make_frame):
    put_at_rate(feed, make_frame, 25, 1)
    before = feed.number
    for seq in range(100):
        feed.want()
        feed.put(make_frame(seq), 60 + seq / 1000)
    assert feed.number - before <= 5


def test_wide_images_are_scaled_down(stream, make_frame):
    feed = Feed(stream, settings=PictureSettings(max_width=32))
    feed.want()
    feed.put(make_frame(0), 0.0)
    jpeg = np.frombuffer(feed.newest()[1], np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (24, 32, 3)
    assert feed.describe(0.0)["width"] == 64


def test_the_size_follows_the_frames(feed, make_frame):
    feed.put(make_frame(0, size=(32, 20)), 0.0)
    described = feed.describe(0.0)
    assert (described["width"], described["height"]) == (32, 20)


def test_an_empty_image_is_no_picture(feed, make_frame):
    feed.want()
    feed.put(make_frame(0, size=(0, 48)), 0.0)
    assert feed.number == 0


def test_before_the_first_frame_there_is_no_age(feed):
    assert feed.describe(10.0)["age_ms"] is None


def test_a_name_that_is_no_text_is_shown_as_text(stream):
    stream = StreamInfo(name="caf\udce9", width=1, height=1, time_base=stream.time_base)
    assert Feed(stream).name == "caf?"
