"""Options of whoever does jobs: what clients may choose, from where videos come, and how large."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sightline.cli.download import DownloadBar
from sightline.cli.parameters import byte_count, name_and_file
from sightline.errors import DownloadError
from sightline.jobs.limits import MediaLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sightline.fetch.policy import AddressPolicy
    from sightline.settings import Settings

__all__ = ["addresses_of", "fetch_default", "find_stages_beside", "limits_of", "work_options"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")
_LIMITS = MediaLimits()

_OPTIONS = (
    click.option(
        "-d",
        "--detector",
        "detectors",
        metavar="NAME|NAME=FILE.onnx",
        multiple=True,
        help="Detector that clients may choose; repeatable, the first is the default. "
        "[yolox-s, and all others that have a name]",
    ),
    click.option(
        "--pipeline",
        "pipelines",
        type=name_and_file,
        metavar="NAME=FILE.yaml",
        multiple=True,
        help="Pipeline that clients may choose besides detect-track; repeatable.",
    ),
    click.option(
        "--allow-network",
        "networks",
        metavar="HOST|CIDR[:PORT]",
        multiple=True,
        help="Host, address or network that videos may be fetched from and webhooks sent to "
        "although it is not public, with a port that is not 80 or 443 where needed; repeatable.",
    ),
    click.option(
        "--max-bytes",
        type=byte_count,
        default="20G",
        show_default=True,
        metavar="SIZE",
        help="Largest file of a video.",
    ),
    click.option(
        "--max-hours",
        type=click.FloatRange(0, min_open=True),
        default=_LIMITS.max_duration_s / 3600,
        show_default=True,
        metavar="N",
        help="Longest video.",
    ),
    click.option(
        "--max-frames",
        type=click.IntRange(1),
        default=_LIMITS.max_frames,
        show_default=True,
        metavar="N",
        help="Most frames of a video.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=_LIMITS.max_pixels,
        show_default=True,
        metavar="N",
        help="Largest picture, width times height.",
    ),
)


def work_options(command: _Command) -> _Command:
    """Give a command the options of whoever does jobs."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def limits_of(given: dict[str, Any]) -> MediaLimits:
    """Read which videos are taken."""
    return MediaLimits(
        max_bytes=given["max_bytes"],
        max_duration_s=given["max_hours"] * 3600,
        max_frames=given["max_frames"],
        max_pixels=given["max_pixels"],
    )


def addresses_of(given: dict[str, Any]) -> AddressPolicy:
    """Read from where videos may be fetched."""
    from sightline.fetch.policy import AddressPolicy

    try:
        return AddressPolicy(private=given["networks"])
    except ValueError as error:
        raise click.UsageError(f"--allow-network: {error}.") from error


def find_stages_beside(pipelines: Iterable[Path]) -> None:
    """Let pipeline files name stages of one's own that lie beside them."""
    for path in pipelines:
        sys.path.insert(0, str(path.resolve().parent))


def fetch_default(detectors: Sequence[str], settings: Settings) -> None:
    """Download the model of the default detector, so that the first job need not wait for it.

    Raises:
        DownloadError: It cannot be had: most jobs would fail.
    """
    from sightline.detect.catalogue import CATALOGUE, DEFAULT_MODEL
    from sightline.detect.download import fetch_model

    entry = CATALOGUE.get(detectors[0] if detectors else DEFAULT_MODEL)
    if entry is None:
        return
    try:
        with DownloadBar(quiet=False) as bar:
            fetch_model(entry, settings=settings, progress=bar)
    except DownloadError as error:
        raise DownloadError(
            f"{error}; or name detectors that need no download, such as --detector motion "
            "or --detector NAME=FILE.onnx"
        ) from error
