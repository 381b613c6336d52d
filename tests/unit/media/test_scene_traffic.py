from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sightline.media.scene import SceneSettings
from sightline.media.scene.street import Camera
from sightline.media.scene.traffic import CLASS_NAMES, plan_traffic

plans = st.builds(
    SceneSettings,
    frames=st.integers(1, 500),
    seed=st.integers(0, 10_000),
    objects=st.integers(0, 30),
    frame_rate=st.sampled_from([Fraction(5), Fraction(25), Fraction(60000, 1001)]),
)


def plan(settings):
    return plan_traffic(settings, Camera(width=settings.width, height=settings.height))


@given(plans)
@hypothesis_settings(deadline=None)
def test_at_most_the_chosen_number_is_on_the_way_at_once(settings):
    walks = plan(settings)
    for walk in walks:
        together = [other for other in walks if other.start <= walk.start <= other.end]
        assert len(together) <= settings.objects


@given(plans)
@hypothesis_settings(deadline=None)
def test_track_ids_count_from_one_in_the_order_of_appearance(settings):
    walks = plan(settings)
    assert [walk.track_id for walk in walks] == list(range(1, len(walks) + 1))
    assert all(one.start <= next_one.start for one, next_one in pairwise(walks))
    assert all(walk.start < settings.frames for walk in walks)


@given(plans)
@hypothesis_settings(deadline=None)
def test_vehicles_of_a_lane_never_drive_through_each_other(settings):
    vehicles = [walk for walk in plan(settings) if CLASS_NAMES[walk.class_id] != "person"]
    for one, other in combinations(vehicles, 2):
        same_direction = (one.to_x > one.from_x) == (other.to_x > other.from_x)
        if one.class_id == other.class_id and same_direction:
            for seq in (max(one.start, other.start), min(one.end, other.end)):
                if one.start <= seq <= one.end and other.start <= seq <= other.end:
                    gap = abs(one.at(seq)[0] - other.at(seq)[0])
                    assert gap > (one.figure.length + other.figure.length) / 2


def test_objects_move_by_the_second_and_not_by_the_frame():
    slow = plan(SceneSettings(seed=3, frames=100, frame_rate=25))[0]
    fast = plan(SceneSettings(seed=3, frames=200, frame_rate=50))[0]
    assert fast.at(120) == pytest.approx(slow.at(60))


def test_eight_objects_are_of_all_classes():
    walks = plan(SceneSettings(frames=1, objects=8))
    assert {CLASS_NAMES[walk.class_id] for walk in walks} == set(CLASS_NAMES)
