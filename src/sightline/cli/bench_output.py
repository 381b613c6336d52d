"""What the commands of `sightline bench` share: options, and printing what was compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sightline.bench.record import describe_machine

if TYPE_CHECKING:
    from sightline.bench.interleave import Comparison

__all__ = ["JSON", "ROUNDS", "show", "show_machine"]

ROUNDS = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds that count."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


def show_machine(machine: dict[str, Any], rounds: int) -> None:
    """Print on what was measured."""
    click.echo(
        f"{machine['processor']}, {machine['cores']} cores; commit {machine['commit']}; "
        f"median (lowest–highest) of {rounds} rounds"
    )


def show(comparison: Comparison, pairs: list[tuple[str, str]], *, unit: str, as_json: bool) -> None:
    """Print the figures of all sides, and the ratios of the pairs."""
    machine = describe_machine()
    if as_json:
        report: dict[str, Any] = {"machine": machine, "unit": unit, "rounds": comparison.rounds}
        click.echo(json.dumps(report))
        return
    show_machine(machine, len(next(iter(comparison.rounds.values()))))
    for side in comparison.rounds:
        click.echo(f"{side:<32} {comparison.figure(side)} {unit}")
    for side, baseline in pairs:
        click.echo(f"{side} ÷ {baseline}: {comparison.ratio(side, baseline)}")
