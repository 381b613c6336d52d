"""The tracking benchmark without its baseline: reading, summing up, laying out, refusing."""

import sys

import pytest

from sightline.bench.interleave import Comparison
from sightline.bench.track import (
    SIGHTLINE,
    TRACKERS,
    TRACKERS_ALIKE,
    TrackBenchmark,
    TrackResult,
    _together,
    table,
)
from sightline.errors import FormatError, MissingExtraError


def result(name="street", frames=100, rates=(4000.0, 6000.0)):
    rounds = {
        SIGHTLINE: list(rates),
        TRACKERS: [rate / 8 for rate in rates],
        TRACKERS_ALIKE: [rate / 5 for rate in rates],
    }
    return TrackResult(
        name=name, frames=frames, objects=6.25, digest="0123", comparison=Comparison(rounds=rounds)
    )


def test_the_table_shows_rates_and_ratios_with_their_spread():
    head, line = table([result()]).splitlines()
    assert head.split() == (
        ["objects", "sightline", "trackers", "ratio", "same", "settings", "ratio"]
    )
    assert line.split() == (
        ["street", "6.2", "5,000", "625", "8.0", "(8.0–8.0)", "1,000", "5.0", "(5.0–5.0)"]
    )


def test_a_result_is_written_with_the_figure_of_every_round():
    assert result().as_json() == {
        "name": "street",
        "frames": 100,
        "objects": 6.25,
        "digest": "0123",
        "frames_per_s": {
            SIGHTLINE: [4000.0, 6000.0],
            TRACKERS: [500.0, 750.0],
            TRACKERS_ALIKE: [800.0, 1200.0],
        },
    }


def test_sequences_are_summed_up_by_all_frames_and_all_time_round_by_round():
    both = _together([result(frames=100, rates=(100.0,)), result(frames=300, rates=(150.0,))])
    assert both.name == "2 sequences"
    assert both.frames == 400
    assert both.comparison.rounds[SIGHTLINE] == [pytest.approx(400 / 3)]
    assert both.comparison.ratio(SIGHTLINE, TRACKERS).median == pytest.approx(8)


def test_a_folder_without_sequences_is_refused(tmp_path):
    with pytest.raises(FormatError, match="holds no sequence"):
        TrackBenchmark(sequences=tmp_path).run()


def test_without_the_baseline_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(MissingExtraError, match=r"pip install --no-deps trackers==2\.6\.1"):
        TrackBenchmark(counts=(3,)).run()
