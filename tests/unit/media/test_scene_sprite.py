import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.media.scene.bicycle import Bicycle
from sightline.media.scene.car import Car
from sightline.media.scene.person import Person
from sightline.media.scene.shape import disc, shape, stroke
from sightline.media.scene.sprite import GRID, draw_shadow, draw_sprite, overlap, paste

RED = (0, 0, 255)
SQUARE = [shape([(-1, 0), (1, 0), (1, 2), (-1, 2)], RED)]


def outline(shapes):
    """Left, bottom, right, top of a figure in metres."""
    reach = [(s.points.min(0) - s.width / 2, s.points.max(0) + s.width / 2) for s in shapes]
    return (*np.min([low for low, _ in reach], 0), *np.max([high for _, high in reach], 0))


@pytest.mark.parametrize("offset", range(GRID))
def test_a_sprite_lies_where_its_figure_stands_to_a_quarter_of_a_pixel(offset):
    sprite = draw_sprite(SQUARE, scale=10, mirrored=False, offset=offset)
    left, top, right, bottom = sprite.box(100, 50)
    assert (left, right) == pytest.approx((90 + offset / GRID, 110 + offset / GRID), abs=0.3)
    assert (top, bottom) == pytest.approx((30, 50), abs=0.3)


@given(
    st.floats(8, 60),
    st.booleans(),
    st.integers(0, GRID - 1),
    st.integers(0, 15).map(lambda k: k / 16),
    st.sampled_from([Person, Bicycle, Car]),
    st.integers(0, 99),
)
def test_the_extent_of_a_sprite_is_tight_around_what_is_painted(
    scale, mirrored, offset, phase, kind, look
):
    shapes = kind.random(np.random.default_rng(look)).shapes(phase)
    sprite = draw_sprite(shapes, scale=scale, mirrored=mirrored, offset=offset)
    rows, columns = np.nonzero(sprite.through[..., 0] < 255)
    left, top, right, bottom = sprite.extent
    assert columns.min() == int(left - sprite.left)
    assert rows.min() == int(top - sprite.top)
    assert columns.max() + 1 == int(np.ceil(right - sprite.left))
    assert rows.max() + 1 == int(np.ceil(bottom - sprite.top))


def test_a_mirrored_figure_is_the_mirror_image():
    arrow = [shape([(0, 0), (2, 1), (0, 2)], RED)]
    right = draw_sprite(arrow, scale=10, mirrored=False)
    left = draw_sprite(arrow, scale=10, mirrored=True)
    assert left.extent[0] == pytest.approx(-right.extent[2], abs=0.25)
    assert left.extent[2] == pytest.approx(-right.extent[0], abs=0.25)
    assert np.count_nonzero(left.mask) == pytest.approx(np.count_nonzero(right.mask), rel=0.05)


@given(st.integers(-60, 60), st.integers(-60, 60))
def test_pasting_paints_the_part_within_the_image_and_nothing_else(column, row):
    sprite = draw_sprite([disc((0, 1), (1, 1), RED)], scale=10, mirrored=False)
    image = np.full((30, 40, 3), 200, np.uint8)
    paste(image, sprite, column, row)
    whole = np.full((230, 240, 3), 200, np.uint8)
    paste(whole, sprite, column + 100, row + 100)
    assert np.array_equal(image, whole[100:130, 100:140])


@given(st.integers(-60, 60), st.integers(-60, 60))
def test_image_and_sprite_overlap_in_parts_of_the_same_shape(column, row):
    sprite = draw_sprite(SQUARE, scale=10, mirrored=False)
    place, part = overlap((30, 40, 3), sprite, column, row)
    assert np.zeros((30, 40))[place].shape == sprite.mask[part].shape


def test_a_sprite_covers_what_is_behind_it():
    image = np.full((30, 40, 3), 200, np.uint8)
    paste(image, draw_sprite(SQUARE, scale=10, mirrored=False), 20, 25)
    assert image[15, 20].tolist() == list(RED)
    assert image[2, 2].tolist() == [200, 200, 200]


def test_a_shadow_only_darkens():
    image = np.full((60, 90, 3), 200, np.uint8)
    paste(image, draw_shadow(SQUARE, scale=10, mirrored=False), 30, 40)
    assert image.max() == 200
    assert 100 < image.min() < 150


def test_a_line_is_as_thick_as_it_says():
    sprite = draw_sprite([stroke([(0, 1), (4, 1)], RED, 0.5)], scale=20, mirrored=False)
    left, top, right, bottom = sprite.extent
    assert bottom - top == pytest.approx(10, abs=1)
    assert right - left == pytest.approx(90, abs=1)


@pytest.mark.parametrize("look", range(8))
def test_a_walking_person_always_stands_on_the_ground_and_keeps_the_height(look):
    person = Person.random(np.random.default_rng(look))
    for phase in np.arange(16) / 16:
        left, bottom, right, top = outline(person.shapes(phase))
        assert -0.06 < bottom < 0.06
        assert 0.88 * person.height < top < 1.08 * person.height
        assert right - left < person.length + 0.4


@pytest.mark.parametrize("kind", [Bicycle, Car])
def test_a_vehicle_stands_on_its_wheels_and_is_as_long_as_it_says(kind):
    vehicle = kind.random(np.random.default_rng(5))
    left, bottom, right, _ = outline(vehicle.shapes(0.3))
    assert -0.06 < bottom < 0.06
    assert right - left == pytest.approx(vehicle.length, rel=0.05)
