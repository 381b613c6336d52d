"""Settings are checked when they are made."""

from __future__ import annotations

import dataclasses

import pytest

from sightline.media.options import SourceOptions


def test_defaults_read_everything():
    assert not SourceOptions().has_range


@pytest.mark.parametrize("bounds", [{"start_s": 0.1}, {"end_s": 0.1}, {"start_s": 1, "end_s": 2}])
def test_a_bound_makes_a_range(bounds):
    assert SourceOptions(**bounds).has_range


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frame_rate", 0),
        ("frame_rate", float("nan")),
        ("timeout_s", -1),
        ("timeout_s", 0),
        ("max_pixels", 0),
        ("camera_rate", -5),
        ("camera_size", (640, 0)),
        ("start_s", -0.5),
        ("start_s", float("nan")),
        ("end_s", 0),
        ("end_s", float("nan")),
        ("rtsp_transport", "carrier pigeon"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(name, value):
    with pytest.raises(ValueError, match=name):
        SourceOptions(**{name: value})


def test_the_end_must_come_after_the_start():
    with pytest.raises(ValueError, match="end_s must be after start_s=2"):
        SourceOptions(start_s=2, end_s=2)


def test_options_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SourceOptions().start_s = 3
