"""Comparing ways of doing the same in one run: A B C A B C …, so that drift hits all alike.

Machines are noisy and change speed while a benchmark runs. The figure to quote is the ratio of two
sides within one round; the median over the rounds, with its spread.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Comparison", "Spread", "interleave", "take_turns"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, minimum and maximum of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value.

        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0)
        """
        return cls(median=statistics.median(values), low=min(values), high=max(values))

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.low:.4g}–{self.high:.4g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The figures of several sides, one per round.

    Attributes:
        rounds: By name of the side, its figure in each round.
    """

    rounds: Mapping[str, Sequence[float]]

    def figure(self, side: str) -> Spread:
        """Summarise the figure of one side."""
        return Spread.of(self.rounds[side])

    def ratio(self, side: str, baseline: str) -> Spread:
        """Summarise how many times a side's figure is the baseline's, round by round."""
        pairs = zip(self.rounds[side], self.rounds[baseline], strict=True)
        return Spread.of([value / base for value, base in pairs])


def interleave(
    sides: Mapping[str, Callable[[], float]], *, rounds: int, warm_up: int = 1
) -> Comparison:
    """Run all sides in turn, again and again, and compare their figures.

    Args:
        sides: By name, what does the work once and returns its figure (such as frames/s).
        rounds: How many rounds count; at least 1.
        warm_up: How many rounds come before, and do not count.
    """
    return Comparison(rounds=take_turns(sides, rounds=rounds, warm_up=warm_up))


def take_turns(
    sides: Mapping[str, Callable[[], T]], *, rounds: int, warm_up: int = 1
) -> dict[str, list[T]]:
    """Run all sides in turn, again and again; return their results, one per round that counts.

    Args:
        sides: By name, what does the work once and returns its result.
        rounds: How many rounds count; at least 1.
        warm_up: How many rounds come before, and do not count.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more, but is {rounds}")
    results: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, run in sides.items():
            result = run()
            if number >= warm_up:
                results[name].append(result)
    return results
