"""Interleaved comparison: order, warm-up, ratios by round."""

import pytest

from sightline.bench.interleave import Comparison, interleave


def test_sides_run_in_turn_and_the_warm_up_does_not_count():
    calls = []

    def side(name):
        def run():
            calls.append(name)
            return len(calls)

        return run

    comparison = interleave({"a": side("a"), "b": side("b")}, rounds=2, warm_up=1)
    assert calls == ["a", "b"] * 3
    assert comparison.rounds == {"a": [3, 5], "b": [4, 6]}


def test_ratios_are_taken_within_a_round():
    comparison = Comparison(rounds={"a": [10, 40, 30], "b": [5, 10, 10]})
    ratio = comparison.ratio("a", "b")
    assert (ratio.median, ratio.low, ratio.high) == (3, 2, 4)
    assert str(ratio) == "3 (2–4)"


def test_at_least_one_round_is_asked_for():
    with pytest.raises(ValueError, match="rounds"):
        interleave({"a": lambda: 1.0}, rounds=0)
