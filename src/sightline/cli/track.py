"""`sightline track`: detect and track the objects of videos, write every output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.batch import Batch, Outputs
from sightline.cli.download import DownloadBar
from sightline.cli.outputs import split_formats
from sightline.cli.parameters import name_and_value
from sightline.cli.progress import choose_display
from sightline.detect.layouts.layout import Layout
from sightline.detect.onnx_runtime import Provider
from sightline.pipeline.outputs import ALL_FORMATS, DEFAULT_FORMATS
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.registry import Kind, create, names
from sightline.pipeline.stages import Detect, Draw, Track

if TYPE_CHECKING:
    from sightline.pipeline.stage import Stage

__all__ = ["command"]

_TRAIL_FRAMES = 30


@click.command("track")
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True)
@click.option(
    "-d",
    "--detector",
    default="yolox-s",
    show_default=True,
    metavar="NAME|FILE.onnx",
    help="A name from `sightline models list`, `demo`, `motion`, or an ONNX file.",
)
@click.option("--classes", metavar="NAMES", help="Keep these classes only: person,car.")
@click.option("--confidence", type=click.FloatRange(0, 1), help="Keep detections above. [0.3]")
@click.option(
    "--nms",
    type=click.FloatRange(0, 1),
    help="IoU above which the weaker of two boxes is dropped. [0.45]",
)
@click.option(
    "--layout",
    type=click.Choice([layout.value for layout in Layout]),
    help="How to read the model's output, if it is not recognised.",
)
@click.option(
    "--names",
    "names_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the model's class names, one per line.",
)
@click.option(
    "--provider",
    type=click.Choice([provider.value for provider in Provider]),
    help="What runs the model. [the best that is installed]",
)
@click.option(
    "--detector-option",
    "detector_options",
    type=name_and_value,
    metavar="NAME=VALUE",
    multiple=True,
    help="Any other option of the detector; repeatable.",
)
@click.option(
    "--tracker",
    type=click.Choice([*names(Kind.TRACKER), "none"]),
    default="sort",
    show_default=True,
    help="How objects are followed from frame to frame; none: they are not.",
)
@click.option(
    "--tracker-option",
    "tracker_options",
    type=name_and_value,
    metavar="NAME=VALUE",
    multiple=True,
    help="Option of the tracker, such as max_age=1; repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tracks-output"),
    show_default=True,
    metavar="DIR",
    help="Results go to DIR/<video stem>/.",
)
@click.option(
    "-f",
    "--format",
    "formats",
    type=split_formats,
    metavar="FORMATS",
    multiple=True,
    help=f"Of {', '.join(ALL_FORMATS)}; repeatable. [all but parquet]",
)
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print each summary as one line of JSON.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Detect and track the objects of each VIDEO.

    A VIDEO is a file, a folder of images, a camera index, an http(s):// or rtsp:// URL, or a
    generated scene such as scene:street?seed=3.

    \b
    Exit status: 0 done; 1 a stage failed; 2 something cannot be used; 3 done, but part of a
    video could not be decoded; 130 interrupted. With several videos, the first that is not 0.
    """  # noqa: D301 - \b is click's mark for a paragraph that it must not wrap
    quiet = given["quiet"] or given["as_json"]
    formats = tuple(name for group in given["formats"] for name in group) or DEFAULT_FORMATS
    bar = DownloadBar(quiet=quiet)
    stages: list[Stage] = [Detect(given["detector"], on_download=bar, **_detector_options(given))]
    tracked = given["tracker"] != "none"
    if tracked:
        tracker = create(Kind.TRACKER, given["tracker"], dict(given["tracker_options"]))
        stages.append(Track(tracker))
    elif given["tracker_options"]:
        raise click.UsageError("--tracker-option needs a tracker, but --tracker is none.")
    if "video" in formats:
        stages.append(Draw(trails=_TRAIL_FRAMES if tracked else 0))
    batch = Batch(
        pipeline=Pipeline(stages),
        outputs=Outputs(root=given["output"], formats=formats, tracked=tracked),
        display=choose_display(quiet=quiet),
        options={key: value for key, value in given.items() if value not in (None, ())},
    )
    with bar:
        ctx.exit(batch.run(given["videos"], as_json=given["as_json"], quiet=quiet))


def _detector_options(given: dict[str, Any]) -> dict[str, Any]:
    """Collect what was given, so that the detector's own defaults hold for the rest."""
    options = {
        "confidence": given["confidence"],
        "nms": given["nms"],
        "layout": given["layout"],
        "names": given["names_file"],
        "provider": given["provider"],
        "classes": given["classes"],
    }
    return {
        **{key: value for key, value in options.items() if value is not None},
        **dict(given["detector_options"]),
    }
