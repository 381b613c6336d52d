"""`sightline demo`: a generated street scene, or the user's own video, from end to end."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.batch import Batch, Outputs
from sightline.cli.download import DownloadBar
from sightline.cli.exits import Exit
from sightline.cli.progress import choose_display
from sightline.cli.scores import show_scores
from sightline.errors import MissingExtraError, OutputError
from sightline.evaluate.tracking import evaluate_tracking
from sightline.formats.mot import format_mot_row
from sightline.media.scene import Scene, SceneSettings, SceneSource
from sightline.pipeline.outputs import ALL_FORMATS
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Detect, Draw, Track
from sightline.sinks.video import VideoFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command"]

_SCENE = "street"
_TRAIL_FRAMES = 30


@click.command("demo")
@click.argument("video", required=False)
@click.option(
    "-d", "--detector", help="Detector. [demo for the generated scene, yolox-s for a VIDEO]"
)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Which street.")
@click.option("--frames", type=click.IntRange(1), default=300, show_default=True, help="Frames.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    metavar="DIR",
    help="Everything is written here.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    video: str | None,
    detector: str | None,
    seed: int,
    frames: int,
    output: Path,
) -> None:
    """Track a VIDEO, or a street scene that is generated, and write every output into DIR.

    The generated scene has ground truth, so its tracks are scored; needs the extra `demo`.
    """
    if not (find_spec("pyarrow") and find_spec("trackeval")):
        raise MissingExtraError.of("The demo", "demo")
    generated = video is None
    if video is None:
        click.echo(f"Generating {frames} frames of a street scene with ground truth …", err=True)
        video = str(_generate(SceneSettings(seed=seed, frames=frames), output))
    detector = detector or ("demo" if generated else "yolox-s")
    bar = DownloadBar(quiet=False)
    detect = Detect(detector, on_download=bar)
    batch = Batch(
        pipeline=Pipeline([detect, Track(), Draw(trails=_TRAIL_FRAMES)]),
        outputs=Outputs(root=output, formats=ALL_FORMATS, tracked=True),
        display=choose_display(quiet=False),
        options={"detector": detector, "seed": seed if generated else None},
    )
    with bar:
        status = batch.run([video], as_json=False, quiet=False)
    if generated and status is Exit.OK:
        show_scores(evaluate_tracking(_truth_file(output), output / _SCENE / "mot.txt"))
    ctx.exit(status)


def _truth_file(folder: Path) -> Path:
    return folder / f"{_SCENE}-truth.txt"


def _generate(settings: SceneSettings, folder: Path) -> Path:
    """Write a scene as a video, and its ground truth as MOT Challenge rows; return the video."""
    video = folder / f"{_SCENE}.mp4"
    sink = VideoFile(video)
    with closing(SceneSource(settings)) as source, closing(sink):
        sink.open(source.info)
        for frame in source.frames():
            sink.write(frame)
    try:
        _truth_file(folder).write_text("".join(_truth_rows(settings)), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {_truth_file(folder)}: {error.strerror}") from error
    return video


def _truth_rows(settings: SceneSettings) -> Iterator[str]:
    scene = Scene(settings)
    for seq in range(settings.frames):
        truth = scene.ground_truth(seq)
        for track_id, xyxy in zip(truth.track_id.tolist(), truth.xyxy.tolist(), strict=True):
            yield format_mot_row(seq + 1, track_id, xyxy) + "\n"
