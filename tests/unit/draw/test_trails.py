"""The recent paths of tracks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.detections import Detections
from sightline.draw.annotate import DrawStyle, draw_detections
from sightline.draw.palette import color_of
from sightline.draw.trails import Trails


def at(x, *, y=50, track_id=3):
    """Put one object with its lower edge's middle at (x, y)."""
    return Detections(xyxy=[[x - 5, y - 20, x + 5, y]], track_id=[track_id])


def draw(trails, *, width=160):
    canvas = np.zeros((100, width, 3), np.uint8)
    trails.draw(canvas, line_width=3)
    return canvas


def test_a_trail_follows_the_middle_of_the_lower_edge_and_fades_with_age():
    trails = Trails(20)
    for x in range(20, 140, 6):
        trails.update(at(x))
    canvas = draw(trails)
    rows = np.nonzero(canvas.any(axis=(1, 2)))[0]
    assert 47 <= rows.min() <= rows.max() <= 53
    strength = canvas[50, 25:130].max(axis=1).astype(int)
    assert (np.diff(strength) >= -3).all()
    assert strength[0] < 0.4 * strength[-1]
    newest = canvas[50, 129] / np.array(color_of(3))
    np.testing.assert_allclose(newest, newest[0], rtol=0.1)


def test_below_a_trail_the_image_shines_through():
    trails = Trails(20)
    for x in range(20, 140, 6):
        trails.update(at(x))
    canvas = np.full((100, 160, 3), 200, np.uint8)
    trails.draw(canvas, line_width=3)
    assert (canvas[50, 22] > 150).all()
    assert (canvas[10] == 200).all()


def test_a_single_point_and_untracked_objects_leave_no_trail():
    trails = Trails(5)
    trails.update(at(20))
    assert len(trails) == 1
    assert not draw(trails).any()
    for _ in range(3):
        trails.update(at(30, track_id=-1))
    assert len(trails) == 1


def test_a_track_is_forgotten_after_as_many_frames_as_a_trail_is_long():
    trails = Trails(5)
    for x in (20, 30, 40):
        trails.update(at(x))
    for expected in (1, 1, 1, 1, 0):
        trails.update(Detections.empty())
        assert len(trails) == expected
    assert not draw(trails).any()


def test_a_trail_shortens_while_its_track_is_out_of_sight():
    trails = Trails(10)
    for x in range(20, 120, 10):
        trails.update(at(x))
    before = np.count_nonzero(draw(trails).any(axis=2))
    for _ in range(5):
        trails.update(Detections.empty())
    after = np.count_nonzero(draw(trails).any(axis=2))
    assert 0 < after < before


@settings(deadline=None)
@given(
    length=st.integers(2, 5),
    frames=st.lists(st.sets(st.integers(1, 6)), max_size=25),
)
def test_memory_holds_the_tracks_and_points_of_the_last_frames_only(length, frames):
    trails = Trails(length)
    for ids in frames:
        boxes = np.tile([0, 0, 1, 1], (len(ids), 1))
        trails.update(Detections(xyxy=boxes, track_id=sorted(ids)))
    recent = frames[-length:]
    expected = {i: sum(i in ids for ids in recent) for i in set().union(*recent)}
    assert {i: len(points) for i, points in trails._points.items()} == expected


def test_trails_lie_below_boxes():
    trails = Trails(5)
    for x in (20, 60):
        trails.update(at(x))
    image = np.zeros((100, 160, 3), np.uint8)
    style = DrawStyle(line_width=3, labels=False)
    drawn = draw_detections(image, at(60), style=style, trails=trails)
    assert tuple(drawn[49, 60]) == color_of(3), "the box's lower edge is opaque"
    assert drawn[50, 40].any(), "the trail is visible beside it"


def test_a_trail_that_leaves_the_image_is_cut_off():
    trails = Trails(5)
    for x in (-1e30, 80, 1e38):
        trails.update(at(x))
    draw(trails)
    beside = Trails(5)
    for x in (300, 400):
        beside.update(at(x))
    assert not draw(beside).any()


@pytest.mark.parametrize("length", [1, 0, -1])
def test_a_length_that_makes_no_line_is_refused(length):
    with pytest.raises(ValueError, match="length must be 2 or more frames"):
        Trails(length)
