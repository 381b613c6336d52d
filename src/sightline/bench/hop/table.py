"""The hop benchmark as text: the figures of all sides, and their ratios beside the goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.bench.hop.benchmark import BARE_RING, OPENFILTER, PICKLE, RATE, SIGHTLINE, SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.bench.hop.benchmark import SizeResults
    from sightline.bench.interleave import Comparison, Spread

__all__ = ["GOALS", "Goal", "table"]

_WIDTHS = (24, 24, 24, 24, 24, 24, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a ratio to a baseline is to be.

    Attributes:
        name: What the figure is called in the table.
        figure: Name of the figure in a `HopResult`. Of frames per second more is better, of all
            others less.
        paced: Whether it is measured at a camera's rate; otherwise at full speed.
        baseline: The side to compare with.
        bounds: The least or the greatest ratio at each of `SIZES`; None where there is no goal.
    """

    name: str
    figure: str
    paced: bool = False
    baseline: str
    bounds: tuple[float | None, float | None, float | None]

    def of(self, result: SizeResults) -> Comparison:
        """Compare all sides in the figure."""
        return (result.paced if self.paced else result.full_speed).compare(self.figure)

    def describe(self, size: tuple[int, int], ratio: Spread) -> str:
        """State a ratio, the goal if there is one, and whether the median reaches it."""
        text = f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"
        bound = dict(zip(SIZES, self.bounds, strict=True)).get(size)
        if bound is None:
            return text
        more_is_better = self.figure == "frames_per_second"
        reached = ratio.median >= bound if more_is_better else ratio.median <= bound
        sign = "≥" if more_is_better else "≤"
        return f"{text}, goal {sign} {bound:.2f}: {'reached' if reached else 'missed'}"


GOALS = (
    Goal(name="frames/s", figure="frames_per_second", baseline=PICKLE, bounds=(6.0, 8.0, 9.0)),
    Goal(name="frames/s", figure="frames_per_second", baseline=OPENFILTER, bounds=(2.8, 1.6, 1.3)),
    Goal(
        name=f"p50 at {RATE:.0f}/s",
        figure="latency_p50_ms",
        paced=True,
        baseline=PICKLE,
        bounds=(1 / 4, 1 / 6, None),
    ),
    Goal(
        name=f"p50 at {RATE:.0f}/s",
        figure="latency_p50_ms",
        paced=True,
        baseline=OPENFILTER,
        bounds=(0.4, 0.6, 0.8),
    ),
    Goal(
        name="CPU/frame",
        figure="cpu_ms_per_frame",
        baseline=OPENFILTER,
        bounds=(0.35, 0.65, 0.9),
    ),
)
"""The goals of the graph, at each of `SIZES`."""


def table(results: Sequence[SizeResults]) -> str:
    """Lay out all sizes: medians with the lowest and the highest round, then ratios.

    Processor time per frame is given for both loads; the goals are about that at full speed.
    """
    return "\n\n".join(_block(result) for result in results)


def _block(result: SizeResults) -> str:
    width, height = result.size
    head = (
        f"{width}x{height}",
        "frames/s",
        "CPU ms/frame",
        f"p50 ms at {RATE:.0f}/s",
        f"p95 ms at {RATE:.0f}/s",
        f"CPU ms/frame at {RATE:.0f}/s",
        "lost",
    )
    sides = list(result.paced.rounds)
    return "\n".join(
        [_line(head), *(_line(_row(result, side)) for side in sides), *_ratios(result)]
    )


def _row(result: SizeResults, side: str) -> tuple[str, ...]:
    fast, paced = result.full_speed, result.paced
    return (
        side,
        _figure(fast.compare("frames_per_second").figure(side)),
        _figure(fast.compare("cpu_ms_per_frame").figure(side)),
        _figure(paced.compare("latency_p50_ms").figure(side)),
        _figure(paced.compare("latency_p95_ms").figure(side)),
        _figure(paced.compare("cpu_ms_per_frame").figure(side)),
        str(fast.lost(side) + paced.lost(side)),
    )


def _figure(spread: Spread) -> str:
    """Write a median and its spread with two decimals at most, three digits at least."""
    decimals = 2 if spread.median < 10 else 1 if spread.median < 100 else 0
    median, low, high = (f"{v:,.{decimals}f}" for v in (spread.median, spread.low, spread.high))
    return f"{median} ({low}–{high})"


def _line(cells: tuple[str, ...]) -> str:
    name, *figures = zip(cells, _WIDTHS, strict=True)
    return f"{name[0]:<{name[1]}}" + "".join(f"{cell:>{width}}" for cell, width in figures)


def _ratios(result: SizeResults) -> list[str]:
    """State the ratios of Sightline, and of the bare ring, to the baselines that took part."""
    lines = []
    for goal in GOALS:
        comparison = goal.of(result)
        for side in (SIGHTLINE, BARE_RING):
            if {side, goal.baseline} <= comparison.rounds.keys():
                ratio = goal.describe(result.size, comparison.ratio(side, goal.baseline))
                lines.append(f"{goal.name}, {side} ÷ {goal.baseline}: {ratio}")
    return lines
