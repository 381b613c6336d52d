"""`sightline models`: what can be fetched, fetching it, and looking into model files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from sightline.cli.download import DownloadBar
from sightline.detect.catalogue import CATALOGUE
from sightline.detect.download import cached_path, fetch_model
from sightline.detect.inspection import inspect_model
from sightline.detect.opening import DEMO, MOTION, find_model
from sightline.errors import ModelError
from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.detect.inspection import ModelInfo

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """List, download and inspect models."""


@command.command("list")
def list_models() -> None:
    """List the models that Sightline knows by name."""
    settings = Settings.from_environment(os.environ)
    rows = [
        (DEMO, "in the package", "Apache-2.0", "for generated scenes"),
        (MOTION, "no model", "Apache-2.0", "what moves before a fixed camera"),
    ]
    for entry in CATALOGUE.values():
        here = "in the cache" if cached_path(entry, settings).exists() else "to download"
        size = f"{entry.size_bytes / 1e6:.1f} MB, {here}"
        rows.append((entry.name, size, entry.licence, entry.summary))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[3]]))


@command.command()
@click.argument("name")
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
def pull(*, name: str, quiet: bool) -> None:
    """Download the model NAME, verify it, and print where it is."""
    if name not in CATALOGUE:
        raise ModelError(f"there is no model {name!r} to download; choose {', '.join(CATALOGUE)}")
    with DownloadBar(quiet=quiet) as bar:
        path = fetch_model(
            CATALOGUE[name], settings=Settings.from_environment(os.environ), progress=bar
        )
    click.echo(path)


@command.command()
@click.argument("model", metavar="NAME|FILE.onnx")
def inspect(*, model: str) -> None:
    """Show a model's inputs and outputs, and how Sightline reads them."""
    with DownloadBar(quiet=False) as bar:
        file = find_model(model, settings=Settings.from_environment(os.environ), progress=bar)
        path = file.locate()
    _show(inspect_model(path))


def _show(info: ModelInfo) -> None:
    rows = {
        "file": f"{info.path} ({info.size_bytes} bytes)",
        "sha256": info.sha256,
        "inputs": ", ".join(map(str, info.inputs)),
        "outputs": ", ".join(map(str, info.outputs)),
        "input size": f"{info.input_size[0]}x{info.input_size[1]}",
        "layout": f"{info.layout.value if info.layout else 'not recognised'}: {info.reason}",
        "classes": f"{len(info.class_names)}: {', '.join(info.class_names)}",
        **{f"metadata {key}": value for key, value in sorted(info.metadata.items())},
    }
    for name, value in rows.items():
        click.echo(f"{name:<11} {value}")
