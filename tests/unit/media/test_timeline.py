"""Timestamps: as in the container where they increase, derived where not."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sightline.media.timeline import Timeline


def place_all(timeline, times):
    return [timeline.place(pts, dts) for pts, dts in times]


def test_increasing_timestamps_are_kept():
    times = [-5, 0, 1, 7, 1000, 10**12]
    assert place_all(Timeline(step=10, jump=100), [(t, None) for t in times]) == times


def test_without_any_timestamp_frames_are_a_step_apart():
    assert place_all(Timeline(step=10, jump=100), [(None, None)] * 4) == [0, 10, 20, 30]


def test_the_decoding_time_serves_where_there_is_no_presentation_time():
    times = [(None, 2), (None, 3), (None, 6), (None, None)]
    assert place_all(Timeline(step=1, jump=25), times) == [2, 3, 6, 7]


def test_the_decoding_time_serves_where_the_presentation_time_goes_back():
    times = [(100, 100), (110, 110), (90, 120), (130, 130)]
    assert place_all(Timeline(step=10, jump=1000), times) == [100, 110, 120, 130]


def test_equal_timestamps_are_moved_by_one_tick():
    assert place_all(Timeline(step=40, jump=1000), [(5, 5), (5, 5), (6, 6), (40, 40)]) == [
        5,
        6,
        7,
        40,
    ]


def test_after_a_restart_of_the_recording_time_goes_on():
    times = [(5000, 5000), (5040, 5040), (0, 0), (40, 40), (80, 80)]
    assert place_all(Timeline(step=40, jump=1000), times) == [5000, 5040, 5080, 5120, 5160]


def test_reading_on_at_another_place_starts_from_its_time():
    timeline = Timeline(step=40, jump=1000)
    timeline.place(5000, None)
    timeline.restart()
    assert timeline.place(80, None) == 80


ticks = st.none() | st.integers(-(2**40), 2**40)


@given(
    times=st.lists(st.tuples(ticks, ticks), max_size=50),
    step=st.integers(-3, 10_000),
    jump=st.integers(1, 10**6),
)
def test_timestamps_always_increase(times, step, jump):
    placed = place_all(Timeline(step=step, jump=jump), times)
    assert all(a < b for a, b in pairwise(placed))


@given(times=st.sets(st.integers(-(2**40), 2**40)), step=st.integers(1, 1000))
def test_what_increases_is_never_changed(times, step):
    ordered = sorted(times)
    assert place_all(Timeline(step=step, jump=90_000), [(t, None) for t in ordered]) == ordered
