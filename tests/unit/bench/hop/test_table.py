"""The table of the hop benchmark, its ratios and its goals."""

import pytest

from sightline.bench.hop.benchmark import (
    BARE_RING,
    OPENFILTER,
    PICKLE,
    SIGHTLINE,
    LoadResults,
    SizeResults,
    full_speed_load,
    paced_load,
)
from sightline.bench.hop.load import HopResult
from sightline.bench.hop.table import table


def results(load, speeds, lost=0):
    """Make results of two rounds: latency and processor time are the inverse of the speed."""
    rounds = {
        side: [
            HopResult(
                frames_per_second=speed * factor,
                latency_p50_ms=1000 / speed,
                latency_p95_ms=2000 / speed,
                cpu_ms_per_frame=2000 / speed,
                delivered=load.frames - lost,
            )
            for factor in (0.9, 1.1)
        ]
        for side, speed in speeds.items()
    }
    return LoadResults(load=load, rounds=rounds)


def size_results(speeds, size=(640, 480), lost=0):
    return SizeResults(
        full_speed=results(full_speed_load(*size), speeds, lost),
        paced=results(paced_load(*size), speeds),
    )


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_each_side_has_a_line_of_medians_with_spread_and_what_it_lost():
    text = table([size_results({PICKLE: 500.0, BARE_RING: 4000.0}, lost=3)])
    (line,) = lines_of(text, PICKLE)
    assert "500 (450–550)" in line
    assert "4.00 (4.00–4.00)" in line
    (line,) = lines_of(text, BARE_RING)
    assert "4,000 (3,600–4,400)" in line
    assert line.split()[-1] == "6"
    assert text.splitlines()[0].split()[0] == "640x480"


def test_ratios_are_given_for_sightline_and_the_bare_ring_with_goal_and_verdict():
    speeds = {PICKLE: 500.0, BARE_RING: 4000.0, OPENFILTER: 1000.0, SIGHTLINE: 2500.0}
    text = table([size_results(speeds)])
    assert lines_of(text, "frames/s") == [
        "frames/s, sightline ÷ PUSH/PULL + pickle: 5.00 (5.00–5.00), goal ≥ 6.00: missed",
        "frames/s, bare slot ring ÷ PUSH/PULL + pickle: 8.00 (8.00–8.00), goal ≥ 6.00: reached",
        "frames/s, sightline ÷ openfilter: 2.50 (2.50–2.50), goal ≥ 2.80: missed",
        "frames/s, bare slot ring ÷ openfilter: 4.00 (4.00–4.00), goal ≥ 2.80: reached",
    ]
    assert lines_of(text, "p50 at 30/s, sightline") == [
        "p50 at 30/s, sightline ÷ PUSH/PULL + pickle: 0.20 (0.20–0.20), goal ≤ 0.25: reached",
        "p50 at 30/s, sightline ÷ openfilter: 0.40 (0.40–0.40), goal ≤ 0.40: reached",
    ]
    assert lines_of(text, "CPU/frame, sightline") == [
        "CPU/frame, sightline ÷ openfilter: 0.40 (0.40–0.40), goal ≤ 0.35: missed"
    ]


@pytest.mark.parametrize("size", [(64, 48), (3840, 2160)])
def test_where_there_is_no_goal_the_ratio_stands_alone(size):
    text = table([size_results({PICKLE: 500.0, BARE_RING: 4000.0}, size)])
    assert lines_of(text, "p50") == [
        "p50 at 30/s, bare slot ring ÷ PUSH/PULL + pickle: 0.12 (0.12–0.12)"
    ]


def test_a_side_that_took_no_part_is_in_no_ratio():
    assert OPENFILTER not in table([size_results({PICKLE: 500.0, BARE_RING: 4000.0})])


def test_the_figures_of_every_round_are_in_the_json_values():
    values = size_results({PICKLE: 500.0}).full_speed.as_json()
    assert values["load"] == {"width": 640, "height": 480, "frames": 2000, "rate": None}
    assert [r["frames_per_second"] for r in values["rounds"][PICKLE]] == [450.0, 550.0]
