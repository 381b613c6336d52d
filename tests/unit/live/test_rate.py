"""The rate of a stream over the last two seconds."""

import pytest

from sightline.live.rate import RecentRate


def rate_of(times_s, now_s):
    rate = RecentRate()
    for time_s in times_s:
        rate.add(time_s)
    return rate.per_second(now_s)


def test_a_steady_stream_has_its_rate_from_the_second_frame_on():
    times_s = [index / 30 for index in range(300)]
    assert rate_of(times_s[:2], times_s[1]) == pytest.approx(30)
    assert rate_of(times_s, times_s[-1]) == pytest.approx(30)


def test_only_the_last_two_seconds_count():
    slow = [float(second) for second in range(10)]
    fast = [9 + index / 100 for index in range(1, 301)]
    assert rate_of(slow + fast, fast[-1]) == pytest.approx(100)


def test_a_stream_slower_than_the_span_has_a_rate_all_the_same():
    assert rate_of([0.0, 5.0, 10.0], 14.0) == pytest.approx(0.2)


@pytest.mark.parametrize("times_s", [[], [1.0], [1.0, 1.0]])
def test_what_cannot_be_measured_is_zero(times_s):
    assert rate_of(times_s, 1.0) == 0


def test_a_stream_that_has_stopped_has_rate_zero():
    assert rate_of([0.0, 0.1, 0.2], 2.1) == pytest.approx(10)
    assert rate_of([0.0, 0.1, 0.2], 2.3) == 0
