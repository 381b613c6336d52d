"""How many workers there are to be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CrewSize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewSize:
    """How many workers there are, depending on how many tasks there are.

    Attributes:
        least: So many are always there; 1 or more.
        most: There are never more.
    """

    least: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"a crew has 1 <= least <= most, not {self.least} and {self.most}")
