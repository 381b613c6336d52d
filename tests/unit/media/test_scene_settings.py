from dataclasses import fields
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import MediaError
from sightline.media.scene import SceneSettings

settings = st.builds(
    SceneSettings,
    width=st.integers(160, 1920).map(lambda half: 2 * half),
    height=st.integers(90, 1080).map(lambda half: 2 * half),
    frames=st.integers(1, 1_000_000),
    frame_rate=st.fractions(1, 240),
    seed=st.integers(0, 2**63 - 1),
    objects=st.integers(0, 60),
)


@given(settings)
def test_settings_written_as_a_url_are_read_back_the_same(chosen):
    query = "&".join(f"{field.name}={getattr(chosen, field.name)}" for field in fields(chosen))
    assert SceneSettings.from_url(f"scene:street?{query}") == chosen


def test_what_a_url_leaves_out_has_its_default():
    assert SceneSettings.from_url("scene:street") == SceneSettings()
    assert SceneSettings.from_url("scene:street?seed=3") == SceneSettings(seed=3)


def test_a_frame_rate_may_be_a_fraction():
    found = SceneSettings.from_url("scene:street?frame_rate=30000/1001")
    assert found.frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("scene:beach", "scene:beach"),
        ("scene://street", "scene://street"),
        ("scene:street#1", "scene:street#1"),
        ("scene:street?sed=3", "sed"),
        ("scene:street?seed=3&seed=4", "seed"),
        ("scene:street?seed=three", "'three'"),
        ("scene:street?seed=", "''"),
        ("scene:street?seed=-1", "seed"),
        ("scene:street?frame_rate=1/0", "'1/0'"),
        ("scene:street?frame_rate=0", "frame_rate"),
        ("scene:street?width=641", "641x360"),
        ("scene:street?width=100000", "width"),
        ("scene:street?frames=0", "frames"),
        ("scene:street?objects=61", "objects"),
    ],
)
def test_a_wrong_url_is_an_error_of_one_line_that_names_the_cause(url, named):
    with pytest.raises(MediaError) as caught:
        SceneSettings.from_url(url)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_settings_in_python_are_an_error_of_the_caller():
    with pytest.raises(ValueError, match="frames must be in"):
        SceneSettings(frames=0)
