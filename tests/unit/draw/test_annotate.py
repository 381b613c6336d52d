"""Boxes, labels and trails on images: where pixels change, and where they must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.detections import Detections
from sightline.draw.annotate import DrawStyle, Trails, copy_as_bgr, draw_detections, draw_onto
from sightline.draw.palette import color_of, text_color_on

BARE = DrawStyle(line_width=1, labels=False)


def black(height=120, width=160):
    return np.zeros((height, width, 3), np.uint8)


def one(box, **columns):
    return Detections(xyxy=[box], **{name: [value] for name, value in columns.items()})


def test_the_input_is_copied_and_never_written():
    image = black()
    image.flags.writeable = False
    drawn = draw_detections(image, one([10, 10, 50, 50]))
    assert not image.any()
    assert drawn.any()
    assert drawn.flags.writeable
    assert not np.shares_memory(drawn, image)
    untouched = draw_detections(image, Detections.empty())
    assert not np.shares_memory(untouched, image)
    np.testing.assert_array_equal(untouched, image)


@pytest.mark.parametrize("shape", [(12, 16, 3), (12, 16)])
def test_drawing_in_place_gives_what_drawing_a_copy_gives(shape):
    image = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    detections = one([1, 2, 8, 9], track_id=3)
    canvas = np.empty((12, 16, 3), np.uint8)
    copy_as_bgr(image, canvas)
    draw_onto(canvas, detections, style=BARE)
    np.testing.assert_array_equal(canvas, draw_detections(image, detections, style=BARE))


def test_a_box_is_drawn_along_its_first_and_last_pixels_and_nowhere_else():
    drawn = draw_detections(black(), one([10, 20, 50, 60], track_id=3), style=BARE)
    expected = black()
    expected[20:60, 10:50] = color_of(3)
    expected[21:59, 11:49] = 0
    np.testing.assert_array_equal(drawn, expected)


def test_a_box_around_the_whole_image_is_visible_on_all_sides():
    drawn = draw_detections(black(), one([0, 0, 160, 120], track_id=1), style=BARE)
    for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert (edge == color_of(1)).all()


def test_of_a_box_that_reaches_far_beyond_the_image_the_inner_edge_is_drawn():
    drawn = draw_detections(black(), one([-1e30, -5, 50, 1e38]), style=BARE)
    assert (drawn[:, 49] == color_of(0)).all()
    drawn[:, 49] = 0
    assert not drawn.any()


@pytest.mark.parametrize("box", [[-50, 10, -10, 60], [160, 10, 200, 60], [10, 120, 60, 1e9]])
def test_a_box_beside_the_image_leaves_no_mark_not_even_a_label(box):
    assert not draw_detections(black(), one(box)).any()


def test_colours_follow_the_track_and_without_a_track_the_class():
    box = [10, 40, 50, 60]
    for columns, color in (
        ({"track_id": 4, "class_id": 1}, color_of(4)),
        ({"track_id": 4, "class_id": 2}, color_of(4)),
        ({"track_id": -1, "class_id": 2}, color_of(2)),
    ):
        drawn = draw_detections(black(), one(box, **columns), style=BARE)
        assert tuple(drawn[40, 10]) == color


def test_neighbouring_numbers_have_different_colours():
    colors = [color_of(number) for number in range(21)]
    assert len(set(colors)) == 21
    assert color_of(10**12) in colors
    assert color_of(-7) in colors


@pytest.mark.parametrize("number", range(21))
def test_text_contrasts_with_every_colour_by_at_least_4_5_to_1(number):
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
        return linear[2] * 0.2126 + linear[1] * 0.7152 + linear[0] * 0.0722

    plate = color_of(number)
    pair = [luminance([c / 255 for c in color]) for color in (plate, text_color_on(plate))]
    assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5


def test_a_label_stands_on_its_box_with_text_on_a_plate_of_the_same_colour():
    drawn = draw_detections(
        black(), one([40, 60, 90, 100], track_id=3, confidence=0.87), style=DrawStyle(line_width=1)
    )
    above = drawn[:60]
    color = np.array(color_of(3))
    plate = (above == color).all(axis=2)
    rows, columns = np.nonzero(plate)
    assert rows.max() == 59
    assert columns.min() == 40
    text = (above == text_color_on(color_of(3))).all(axis=2)
    text[: rows.min()] = False
    assert text[rows.min() : 60, 40 : columns.max()].any()


def test_a_label_stays_inside_the_image():
    def plate_size(box):
        style = DrawStyle(line_width=1)
        drawn = draw_detections(black(), one(box, track_id=1, confidence=0.5), style=style)
        without = draw_detections(black(), one(box, track_id=1, confidence=0.5), style=BARE)
        rows, columns = np.nonzero((drawn != without).any(axis=2))
        return np.ptp(rows), np.ptp(columns)

    in_the_middle = plate_size([60, 60, 70, 100])
    for box in ([0, 0, 9, 9], [150, 0, 160, 9], [150, 60, 170, 100], [-20, -20, 10, 9]):
        assert plate_size(box) == pytest.approx(in_the_middle, abs=2)


def test_labels_can_leave_the_confidence_out():
    detections = one([40, 60, 90, 100], track_id=3, confidence=0.87)
    full = draw_detections(black(), detections, style=DrawStyle(line_width=1))
    short = draw_detections(black(), detections, style=DrawStyle(line_width=1, confidence=False))
    assert np.count_nonzero(full.any(axis=2)) > np.count_nonzero(short.any(axis=2))


def test_lines_and_text_grow_with_the_image():
    small = draw_detections(black(360, 480), one([100, 100, 200, 200], track_id=1))
    large = draw_detections(black(1080, 1440), one([300, 300, 600, 600], track_id=1))
    share_small, share_large = ((image.any(axis=2)).mean() for image in (small, large))
    assert share_large == pytest.approx(share_small, rel=0.6)
    assert np.count_nonzero(large[450, :450].any(axis=1)) > np.count_nonzero(
        small[150, :150].any(axis=1)
    )


def test_gray_images_become_colour():
    gray = np.full((120, 160), 77, np.uint8)
    drawn = draw_detections(gray, one([10, 40, 50, 60], track_id=3), style=BARE)
    assert drawn.shape == (120, 160, 3)
    assert tuple(drawn[40, 10]) == color_of(3)
    assert tuple(drawn[0, 0]) == (77, 77, 77)


def test_class_names_in_any_script_can_be_written():
    detections = Detections(xyxy=[[10, 40, 50, 60]], class_names=("Fußgänger 歩行者 🚶\n\t",))
    assert draw_detections(black(), detections).any()


@settings(deadline=None)
@given(
    boxes=arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.just(4)),
        elements=st.one_of(st.floats(width=32, allow_nan=False), st.floats(-300, 300, width=32)),
    ),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    line_width=st.one_of(st.none(), st.integers(1, 100)),
    gray=st.booleans(),
)
def test_any_boxes_on_any_image_can_be_drawn(boxes, size, line_width, gray):
    image = np.zeros(size if gray else (*size, 3), np.uint8)
    trails = Trails(4)
    for shift in (0, 5, -40):
        detections = Detections(xyxy=boxes + np.float32(shift), track_id=range(1, len(boxes) + 1))
        trails.update(detections)
    drawn = draw_detections(
        image, detections, style=DrawStyle(line_width=line_width), trails=trails
    )
    assert drawn.shape == (*size, 3)
    assert not image.any()


def test_a_box_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        draw_detections(black(), one([0, 0, float("nan"), 5]))


@pytest.mark.parametrize(
    "options", [{"line_width": 0}, {"line_width": 101}, {"font_scale": 0}, {"font_scale": 21}]
)
def test_styles_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DrawStyle(**options)
