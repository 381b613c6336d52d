"""`sightline bench`: the published numbers, measured again on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.bench.record import describe_machine
from sightline.bench.track import TrackBenchmark, report, table
from sightline.bench.video import (
    INFERENCE_1,
    LOOP,
    LOOP_1,
    SIGHTLINE,
    SIGHTLINE_1,
    VideoBenchmark,
)

if TYPE_CHECKING:
    from sightline.bench.interleave import Comparison

__all__ = ["command"]

_ROUNDS = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds that count."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


@click.group("bench")
def command() -> None:
    """Measure: every published number again.

    All sides of a benchmark run in turn, in one process; quote the ratios.
    """


@command.command()
@click.argument("video_file", metavar="VIDEO", type=click.Path(exists=True, path_type=Path))
@click.argument("model", metavar="YOLOX.onnx", type=click.Path(exists=True, path_type=Path))
@_ROUNDS
@_JSON
def video(*, video_file: Path, model: Path, rounds: int, as_json: bool) -> None:
    """Compare `sightline track` with the plain loop on VIDEO."""
    comparison = VideoBenchmark(video=video_file, model=model, rounds=rounds).run()
    pairs = [(SIGHTLINE, LOOP), (SIGHTLINE_1, LOOP_1), (SIGHTLINE_1, INFERENCE_1)]
    _show(comparison, pairs, unit="frames/s", as_json=as_json)


@command.command()
@click.argument(
    "sequences", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@_ROUNDS
@_JSON
def track(*, sequences: Path | None, rounds: int, as_json: bool) -> None:
    """Compare tracking alone with roboflow's trackers, on one core.

    SEQUENCES is a folder of MOT Challenge sequences, each a folder with a det.txt; besides these,
    crowds of 10 to 500 objects are generated.
    """
    results = TrackBenchmark(sequences=sequences, rounds=rounds).run()
    if as_json:
        click.echo(json.dumps(report(results)))
        return
    _show_machine(describe_machine(), rounds)
    click.echo(table(results))


def _show_machine(machine: dict[str, Any], rounds: int) -> None:
    click.echo(
        f"{machine['processor']}, {machine['cores']} cores; commit {machine['commit']}; "
        f"median (lowest–highest) of {rounds} rounds"
    )


def _show(
    comparison: Comparison, pairs: list[tuple[str, str]], *, unit: str, as_json: bool
) -> None:
    """Print the figures of all sides, and the ratios of the pairs."""
    machine = describe_machine()
    if as_json:
        report: dict[str, Any] = {"machine": machine, "unit": unit, "rounds": comparison.rounds}
        click.echo(json.dumps(report))
        return
    _show_machine(machine, len(comparison.rounds[LOOP]))
    for side in comparison.rounds:
        click.echo(f"{side:<32} {comparison.figure(side)} {unit}")
    for side, baseline in pairs:
        click.echo(f"{side} ÷ {baseline}: {comparison.ratio(side, baseline)}")
