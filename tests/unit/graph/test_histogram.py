import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.graph.histogram import Histogram, RecentDelays

DELAYS = st.lists(st.floats(1e-6, 999.0), min_size=1, max_size=60)
SHARES = st.floats(0, 1)


def filled(delays):
    histogram = Histogram()
    for delay in delays:
        histogram.add(delay)
    return histogram


def nearest_rank(delays, q):
    return sorted(delays)[max(1, math.ceil(q * len(delays))) - 1]


@given(DELAYS, SHARES)
def test_a_quantile_is_within_five_percent_of_the_true_one_and_never_above_the_longest(delays, q):
    estimate = filled(delays).quantile(q)
    assert estimate == pytest.approx(nearest_rank(delays, q), rel=0.05)
    assert estimate <= max(delays)


@given(DELAYS)
def test_count_mean_and_longest_are_exact(delays):
    histogram = filled(delays)
    assert histogram.count == len(delays)
    assert histogram.mean == pytest.approx(sum(delays) / len(delays))
    assert histogram.max_s == max(delays)


@given(DELAYS, DELAYS, SHARES)
def test_merged_histograms_say_what_one_says_that_was_told_everything(ours, theirs, q):
    merged, other = filled(ours), filled(theirs)
    merged.merge(other)
    whole = filled(ours + theirs)
    assert merged.quantile(q) == whole.quantile(q)
    assert (merged.count, merged.max_s) == (whole.count, whole.max_s)
    assert merged.mean == pytest.approx(whole.mean)
    assert other.count == len(theirs)


@pytest.mark.parametrize("exponent", range(-6, 3))
def test_every_power_of_ten_of_the_range_is_told_apart_from_its_neighbours(exponent):
    exact = 10.0**exponent
    for delay in (math.nextafter(exact, 0), exact, math.nextafter(exact, math.inf)):
        assert filled([delay, 999.0]).quantile(0.5) == pytest.approx(exact, rel=0.05)


def test_delays_outside_the_range_are_counted_at_its_ends():
    histogram = filled([0.0, 1e-9, 5e-7, 1000.0, 1e6])
    assert histogram.quantile(0.5) == 1e-6
    assert histogram.quantile(1) == histogram.max_s == 1e6


@pytest.mark.parametrize("seconds", [-1e-9, -math.inf, math.nan])
def test_what_is_no_delay_is_refused_and_not_counted(seconds):
    histogram = Histogram()
    with pytest.raises(ValueError, match="must be 0 s or more"):
        histogram.add(seconds)
    assert histogram.count == 0


@pytest.mark.parametrize("q", [-0.01, 1.01, math.nan])
def test_a_share_outside_0_to_1_is_refused(q):
    with pytest.raises(ValueError, match="between 0 and 1"):
        filled([1.0]).quantile(q)


def test_an_empty_histogram_has_no_figures():
    empty = Histogram()
    assert math.isnan(empty.mean)
    assert math.isnan(empty.quantile(0.5))
    figures = empty.as_dict()
    assert figures.pop("count") == 0
    assert set(figures.values()) == {None}


def test_figures_are_json_values_in_milliseconds():
    figures = json.loads(json.dumps(filled([0.002] * 99 + [0.1]).as_dict()))
    assert figures["count"] == 100
    assert figures["mean_ms"] == 2.98
    assert figures["max_ms"] == 100.0
    assert figures["p50_ms"] == figures["p99_ms"] == pytest.approx(2.0, rel=0.05)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40), st.integers(1, 20))
def test_recent_delays_are_those_of_the_last_frames_exactly(delays, size):
    recent = RecentDelays(size)
    for delay in delays:
        recent.add(delay)
    last = delays[-size:]
    assert len(recent) == len(last)
    assert recent.mean == pytest.approx(sum(last) / len(last))
    assert recent.p50 == nearest_rank(last, 0.50)
    assert recent.p95 == nearest_rank(last, 0.95)


def test_recent_delays_have_no_figures_before_the_first():
    recent = RecentDelays()
    assert all(math.isnan(figure) for figure in (recent.mean, recent.p50, recent.p95))


def test_recent_delays_of_no_frames_make_no_sense():
    with pytest.raises(ValueError, match="size must be 1 or more"):
        RecentDelays(0)
