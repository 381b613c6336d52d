"""Predictions, costs and checks as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sightline.bench.scaling.bounds import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sightline.bench.scaling.check import Checked
    from sightline.bench.scaling.parameters import Costs
    from sightline.bench.scaling.scenarios import Scenario

__all__ = ["checks_table", "costs_table", "predictions_table", "report"]

_WIDTH = 11


def predictions_table(found: Mapping[str, Sequence[Scenario]]) -> str:
    """Print what is predicted: a row for each number of workers."""
    lines = []
    for name, scenarios in found.items():
        used = [
            resource
            for resource in RESOURCES
            if any(one.prediction.utilisation[resource] for one in scenarios)
        ]
        head = ["workers", "frames/s", "chunks/s", *used, "first bottleneck", "at most, chunks/s"]
        lines += [f"{name}; parts of each resource that are taken", _row(head)]
        lines += [_row(_cells(one, used)) for one in scenarios]
        lines.append("")
    return "\n".join(lines).rstrip()


def costs_table(costs: Costs) -> str:
    """Print what the model is made of."""
    return "\n".join(
        f"{name:<20} {value * 1000:10.3f} ms"
        if name.endswith("_s")
        else f"{name:<20} {value:10.0f} B"
        for name, value in asdict(costs).items()
    )


def checks_table(checked: Iterable[Checked]) -> str:
    """Print how well the model predicts what was measured."""
    head = ["", "workers", "predicted", "measured", "unit", "error"]
    rows = [
        [
            one.what,
            str(one.workers),
            f"{one.predicted:.4g}",
            f"{one.measured:.4g}",
            one.unit,
            f"{one.error:+.1%}",
        ]
        for one in checked
    ]
    return "\n".join(map(_row, [head, *rows]))


def report(
    costs: Costs, found: Mapping[str, Sequence[Scenario]], checked: Iterable[Checked]
) -> dict[str, Any]:
    """State everything as JSON values."""
    return {
        "costs": asdict(costs),
        "predictions": {name: [asdict(one) for one in some] for name, some in found.items()},
        "checks": [{**asdict(one), "error": one.error} for one in checked],
    }


def _cells(one: Scenario, used: Sequence[str]) -> list[str]:
    found = one.prediction
    return [
        str(found.workers),
        f"{found.frames_per_s:.4g}",
        f"{found.chunks_per_s:.4g}",
        *(f"{found.utilisation[resource]:.2f}" for resource in used),
        found.bottleneck,
        f"{one.lowest.chunks_per_s:.4g} ({one.lowest.resource})",
    ]


def _row(cells: Iterable[str]) -> str:
    return " ".join(cell.ljust(_WIDTH) for cell in cells).rstrip()
