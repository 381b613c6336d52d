"""`sightline eval`: score tracking results against ground truth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from sightline.cli.scores import show_scores
from sightline.evaluate.tracking import evaluate_tracking

__all__ = ["command"]


@click.command("eval")
@click.argument("ground_truth", metavar="GT", type=click.Path(path_type=Path))
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path))
@click.option(
    "--iou",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Least IoU of a match for MOTA and IDF1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores as one line of JSON.")
def command(*, ground_truth: Path, results: Path, iou: float, as_json: bool) -> None:
    """Score RESULTS against GT, both files of MOT Challenge rows (mot.txt, gt.txt).

    Prints MOTA, IDF1, HOTA and their parts; needs the extra `eval`.
    """
    scores = evaluate_tracking(ground_truth, results, iou_threshold=iou)
    if as_json:
        click.echo(json.dumps(asdict(scores)))
    else:
        show_scores(scores)
