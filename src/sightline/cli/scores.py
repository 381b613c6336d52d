"""Showing the scores of tracks as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sightline.evaluate.tracking import TrackingScores

__all__ = ["show_scores"]

_RATIOS = ("mota", "idf1", "hota", "deta", "assa", "motp", "idp", "idr")
_COUNTS = ("id_switches", "fragmentations", "misses", "false_positives")


def show_scores(scores: TrackingScores) -> None:
    """Print the ratios with three decimals, then the counts of errors, then what was compared."""
    for name in _RATIOS:
        click.echo(f"{name.upper():<16}{getattr(scores, name):8.3f}")
    for name in _COUNTS:
        click.echo(f"{name.replace('_', ' '):<16}{getattr(scores, name):8d}")
    click.echo(
        f"compared: {scores.result_boxes} boxes on {scores.result_tracks} tracks with "
        f"{scores.ground_truth_boxes} boxes on {scores.ground_truth_tracks} true tracks"
    )
